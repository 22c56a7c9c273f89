import type { BodySink, BodySource } from '../../exchange/body.ts'
import type { HeaderList } from '../../exchange/headers.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import type { ReadBuffers } from '../../runtime/read-buffers.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PADDING = 0x3d
const NONE = 255
/** What each character of base64 stands for. */
const VALUES = new Uint8Array(256).fill(NONE)
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value

/**
 * A request body in the text form of gRPC-Web, as the bytes that it stands for.
 * @param buffers where pieces that were given to us go back to
 */
export function decodeText(body: BodySource, buffers: ReadBuffers): BodySource {
  return {
    length: body.length === 'none' ? 'none' : 'unknown',
    start: sink => body.start(new TextDecoder(body, sink, buffers)),
    resume: () => body.resume(),
    abort: error => body.abort(error),
  }
}

/** Base64 (RFC 4648 section 4) that comes in any pieces. A client may have padded each of its own. */
class TextDecoder implements BodySink {
  readonly #source: BodySource
  readonly #sink: BodySink
  readonly #buffers: ReadBuffers
  /** Of a group of four characters, those that came. */
  #rest = ''
  #over = false

  constructor(source: BodySource, sink: BodySink, buffers: ReadBuffers) {
    this.#source = source
    this.#sink = sink
    this.#buffers = buffers
  }

  chunk(bytes: Buffer, owned: boolean): boolean {
    const text = this.#rest + bytes.toString('latin1')
    if (owned) this.#buffers.release(bytes)
    if (this.#over) return true
    const whole = text.length - (text.length % 4)
    this.#rest = text.slice(whole)
    const decoded = decode(text.slice(0, whole))
    if (decoded === null) {
      this.#refuse()
      return true
    }
    return decoded.length === 0 || this.#sink.chunk(decoded, true)
  }

  end(trailers: HeaderList | null): void {
    if (this.#over) return
    if (this.#rest === '') this.#sink.end(trailers)
    else this.#refuse()
  }

  abort(error: ProxyError): void {
    if (!this.#over) this.#sink.abort(error)
  }

  #refuse(): void {
    this.#over = true
    const error = new ProxyError('bad_request', 'The body is not base64.')
    this.#sink.abort(error)
    this.#source.abort(error)
  }
}

/** The bytes of whole groups, some of which may be padded; null where a character is none of base64. */
function decode(text: string): Buffer | null {
  return /^[A-Za-z0-9+/]*$/.test(text) ? Buffer.from(text, 'base64') : decodePadded(text)
}

/** By hand: who pads each group must not cost us a call out of the engine for each. */
function decodePadded(text: string): Buffer | null {
  const bytes = Buffer.allocUnsafe((text.length / 4) * 3)
  let to = 0
  for (let at = 0; at < text.length; at += 4) {
    const last = text.charCodeAt(at + 3) === PADDING ? (text.charCodeAt(at + 2) === PADDING ? 1 : 2) : 3
    let group = 0
    for (let i = 0; i <= last; i++) {
      const value = VALUES[text.charCodeAt(at + i)] as number // the text is bytes
      if (value === NONE) return null
      group |= value << (18 - 6 * i)
    }
    bytes[to++] = group >>> 16
    if (last > 1) bytes[to++] = group >>> 8
    if (last > 2) bytes[to++] = group
  }
  return bytes.subarray(0, to)
}
