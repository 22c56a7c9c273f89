/** How much of a handshake is looked at: a hello with post-quantum key shares has some two thousand bytes. */
export const HELLO_MOST = 16_384

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const HOST_NAME = 0
/** The largest plaintext record (RFC 8446 section 5.1). */
const RECORD_MOST = 16_384

/**
 * Finds the server name (SNI, RFC 6066 section 3) that a client asks for, without opening TLS (RFC 8446 section 4.1.2).
 *
 * @param bytes everything that came so far
 * @returns the name in lower case; empty where it is TLS without a name; null where it is no TLS, or nothing that could be
 *   read in one way only; `partial` where more has to come. What is longer than `HELLO_MOST` is null
 */
export function serverNameOf(bytes: Buffer): string | null | { readonly partial: true } {
  const hello = helloOf(bytes)
  if (hello === null || 'partial' in hello) return hello
  const body = new Cursor(hello.body)
  body.skip(2 + 32)
  body.skip(body.u8())
  body.skip(body.u16())
  body.skip(body.u8())
  // A hello without extensions is one of TLS 1.2 and older.
  if (body.done) return ''
  const extensions = body.take(body.u16())
  if (!body.done || extensions === null) return null
  let name: string | null = ''
  let seen = false
  while (!extensions.done) {
    const type = extensions.u16()
    const content = extensions.take(extensions.u16())
    if (content === null) return null
    if (type !== SERVER_NAME) continue
    // Twice is two readings (RFC 8446 section 4.2).
    if (seen) return null
    seen = true
    name = hostNameOf(content)
    if (name === null) return null
  }
  return extensions.broken ? null : name
}

const PARTIAL = { partial: true } as const

/** The hello's body, gathered from as many records as it takes. */
function helloOf(bytes: Buffer): { readonly body: Buffer } | null | typeof PARTIAL {
  const pieces: Buffer[] = []
  let gathered = 0
  let wanted = -1
  for (let at = 0; wanted === -1 || gathered < wanted;) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return null
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return null
    if (at + 5 > bytes.length) return bytes.length < HELLO_MOST ? PARTIAL : null
    const size = bytes.readUInt16BE(at + 3)
    if (size === 0 || size > RECORD_MOST) return null
    const piece = bytes.subarray(at + 5, at + 5 + size)
    pieces.push(piece)
    gathered += piece.length
    if (wanted === -1 && gathered >= 4) {
      const start = Buffer.concat(pieces)
      wanted = 4 + start.readUIntBE(1, 3)
      if (start[0] !== CLIENT_HELLO || wanted > HELLO_MOST) return null
    } else if (wanted === -1 && gathered > 0 && pieces.find(one => one.length > 0)?.[0] !== CLIENT_HELLO) {
      return null
    }
    at += 5 + size
    if (piece.length < size && (wanted === -1 || gathered < wanted))
      return bytes.length < HELLO_MOST ? PARTIAL : null
  }
  return { body: Buffer.concat(pieces).subarray(4, wanted) }
}

/** The one host name of the extension; null where it is not one, or not one that DNS could hold. */
function hostNameOf(extension: Cursor): string | null {
  const list = extension.take(extension.u16())
  if (list === null || !extension.done || list.done) return null
  const type = list.u8()
  const name = list.take(list.u16())
  if (type !== HOST_NAME || name === null || !list.done || list.broken) return null
  const text = name.rest().toString('latin1').toLowerCase()
  const plain = text.endsWith('.') ? text.slice(0, -1) : text
  return /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(plain) ? plain : null
}

/** Reads fields of known size one after the other. What would lie beyond the end breaks it for good. */
class Cursor {
  broken = false
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Whether nothing is left, or nothing that could be read. */
  get done(): boolean {
    return this.broken || this.#at === this.#bytes.length
  }

  u8(): number {
    return this.#number(1)
  }

  u16(): number {
    return this.#number(2)
  }

  skip(size: number): void {
    if (this.#at + size > this.#bytes.length) this.broken = true
    else this.#at += size
  }

  take(size: number): Cursor | null {
    const from = this.#at
    this.skip(size)
    return this.broken ? null : new Cursor(this.#bytes.subarray(from, from + size))
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#at)
  }

  #number(size: 1 | 2): number {
    if (this.broken || this.#at + size > this.#bytes.length) {
      this.broken = true
      return 0
    }
    const value = this.#bytes.readUIntBE(this.#at, size)
    this.#at += size
    return value
  }
}
