import type { BodySink, BodySource } from '../../exchange/body.ts'
import type { HeaderList } from '../../exchange/headers.ts'
import type { ProxyError } from '../../exchange/proxy-error.ts'
import type { ReadBuffers } from '../../runtime/read-buffers.ts'

/** The flag of the frame that holds the trailers (doc/PROTOCOL-WEB.md, "Protocol differences"). */
const TRAILERS = 0x80

/**
 * A gRPC response as a body of gRPC-Web: its trailers are a last frame.
 * @param text whether it goes as base64, each piece padded so that no message waits for the next
 * @param buffers where pieces that were given to us go back to
 */
export function webBody(body: BodySource, text: boolean, buffers: ReadBuffers): BodySource {
  return {
    length: 'unknown',
    start: sink => body.start(new WebSink(sink, text, buffers)),
    resume: () => body.resume(),
    abort: error => body.abort(error),
  }
}

class WebSink implements BodySink {
  readonly #sink: BodySink
  readonly #text: boolean
  readonly #buffers: ReadBuffers

  constructor(sink: BodySink, text: boolean, buffers: ReadBuffers) {
    this.#sink = sink
    this.#text = text
    this.#buffers = buffers
  }

  chunk(bytes: Buffer, owned: boolean): boolean {
    if (!this.#text) return this.#sink.chunk(bytes, owned)
    const text = encode(bytes)
    if (owned) this.#buffers.release(bytes)
    return this.#sink.chunk(text, true)
  }

  end(trailers: HeaderList | null): void {
    const frame = trailersFrame(trailers ?? [])
    this.#sink.chunk(this.#text ? encode(frame) : frame, true)
    this.#sink.end(null)
  }

  abort(error: ProxyError): void {
    this.#sink.abort(error)
  }
}

function encode(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64'), 'latin1')
}

/** Fields as in HTTP/1.1, names in lower case, in a frame of gRPC: a flag, four bytes of length. */
function trailersFrame(trailers: HeaderList): Buffer {
  let text = ''
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`
  const frame = Buffer.alloc(5 + text.length)
  frame[0] = TRAILERS
  frame.writeUInt32BE(text.length, 1)
  frame.write(text, 5, 'latin1')
  return frame
}
