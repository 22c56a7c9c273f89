import { hash } from 'node:crypto'

/** The texts of values that stand in many others, by the value. */
const known = new WeakMap<object, string>()

/** Says that a value never changes and will be hashed in many others. */
export function rememberText(value: object): void {
  known.set(value, canonicalJson(value))
}

/** JSON with the keys of every map in order, so that equal values have equal text. Keys that hold undefined are left out. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  let text = known.get(value) ?? ''
  if (text !== '') return text
  if (Array.isArray(value)) {
    for (const one of value) text += `${text === '' ? '' : ','}${canonicalJson(one)}`
    return `[${text}]`
  }
  const map = value as Record<string, unknown>
  for (const key of Object.keys(map).sort()) {
    if (map[key] !== undefined)
      text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(map[key])}`
  }
  return `{${text}}`
}

/** The first 16 hex digits of the SHA-256 of a value's canonical JSON. */
export function contentHash(value: unknown): string {
  return hash('sha256', canonicalJson(value)).slice(0, 16)
}
