import type { BodySink, BodySource } from '../../exchange/body.ts'
import type { HeaderList } from '../../exchange/headers.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'

/** A request body in the text form of gRPC-Web, as the bytes that it stands for. */
export function decodeText(body: BodySource): BodySource {
  return {
    length: body.length === 'none' ? 'none' : 'unknown',
    start: sink => body.start(new TextDecoder(body, sink)),
    resume: () => body.resume(),
    abort: error => body.abort(error),
  }
}

/** Base64 (RFC 4648 section 4) that comes in any pieces. A client may have padded each of its own. */
class TextDecoder implements BodySink {
  readonly #source: BodySource
  readonly #sink: BodySink
  /** Of a group of four characters, those that came. */
  #rest = ''
  #over = false

  constructor(source: BodySource, sink: BodySink) {
    this.#source = source
    this.#sink = sink
  }

  chunk(bytes: Buffer): boolean {
    if (this.#over) return true
    const text = this.#rest + bytes.toString('latin1')
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
  if (/^[A-Za-z0-9+/]*$/.test(text)) return Buffer.from(text, 'base64')
  if (!/^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)*$/.test(text)) return null
  return Buffer.concat((text.match(/[^=]+={0,2}/g) ?? []).map(part => Buffer.from(part, 'base64')))
}
