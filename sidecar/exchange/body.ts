import type { HeaderList } from './headers.ts'
import type { ProxyError } from './proxy-error.ts'

/** How long a body is: bytes, `unknown` until it ends (chunked, close-delimited, tunnel), or `none` where there is no body at all. */
export type BodyLength = number | 'unknown' | 'none'

/**
 * Where the bytes of a body come from. A codec's reader, a replay buffer, a transform and a tunnel are all one of these.
 *
 * `start` is called once; before it nothing is read beyond what came with the head. After it the source calls
 * `sink.chunk` any number of times and then exactly one of `sink.end` and `sink.abort`, and nothing after that.
 */
export interface BodySource {
  readonly length: BodyLength
  /** Begins to deliver into the sink. May deliver bytes and the end before it returns. */
  start(sink: BodySink): void
  /** Goes on after `chunk` answered false. */
  resume(): void
  /** The taker wants no more: the source stops, gives up what it holds, and calls nothing on the sink. */
  abort(error: ProxyError): void
}

/** Where the bytes of a body go. */
export interface BodySink {
  /**
   * Takes some bytes. Answers false when it wants no more until it calls `source.resume()`.
   *
   * `owned` false: the bytes are the source's and valid only until this call returns; what must live longer is copied.
   * `owned` true: they are the sink's from now on.
   */
  chunk(bytes: Buffer, owned: boolean): boolean
  /** The body is complete. Trailers are null where there were none. */
  end(trailers: HeaderList | null): void
  /** The body will never be complete. What was passed on must not look like a whole one. */
  abort(error: ProxyError): void
}

/** A body that is not there: no byte and no framing. */
export const NO_BODY: BodySource = {
  length: 'none',
  start: sink => sink.end(null),
  resume: () => {},
  abort: () => {},
}

/** A whole body that is already in memory, delivered in one piece. Its bytes must never change. */
export class BufferedBody implements BodySource {
  readonly length: number
  readonly #bytes: Buffer
  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.length = bytes.length
  }
  start(sink: BodySink): void {
    if (this.#bytes.length > 0) sink.chunk(this.#bytes, true)
    sink.end(null)
  }
  resume(): void {}
  abort(): void {}
}
