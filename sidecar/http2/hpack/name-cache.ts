import { STATIC_NAMES } from './static-table.ts'

// A power of two. Each name has one place, and takes it from who was there before: a flood of names costs nothing but
// that names are not shared.
const SLOTS = 512
const LONGEST = 64

/**
 * Field names as strings shared between messages and connections, found without making a string first. They are the
 * engine's internalised strings, which are compared with a literal by pointer.
 */
export class NameCache {
  readonly #names: string[] = new Array<string>(SLOTS).fill('')

  constructor() {
    for (const name of STATIC_NAMES) {
      const bytes = Buffer.from(name, 'latin1')
      this.find(bytes, 0, bytes.length)
    }
  }

  /** The bytes from `from` up to `to` as a byte string that is no view of them. */
  find(bytes: Buffer, from: number, to: number): string {
    const length = to - from
    if (length > LONGEST) return bytes.toString('latin1', from, to)
    let hash = 0
    for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const name = this.#names[slot] as string
    if (name.length === length && matches(name, bytes, from)) return name
    const found = Object.keys({ [bytes.toString('latin1', from, to)]: 0 })[0] as string
    this.#names[slot] = found
    return found
  }
}

function matches(name: string, bytes: Buffer, from: number): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== bytes[from + i]) return false
  return true
}
