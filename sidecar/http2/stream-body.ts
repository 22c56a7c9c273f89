import type { BodyLength, BodySink, BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { ByteQueue } from './byte-queue.ts'
import { FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR } from './frames.ts'
import { ReceiveWindow } from './receive-window.ts'
import type { StreamOwner } from './stream-owner.ts'
import type { SendingHome } from './stream-home.ts'

/** The stream that a body comes on. */
export interface BodyStream {
  readonly id: number
  readonly closed: boolean
  readonly owner: Pick<StreamOwner, 'onBodyBroken'>
}

/**
 * The body that a stream brings. Bytes go to the sink as they come; what comes while it wants none waits, at most a
 * window of it, and the peer gets credit when they were taken (docs/architecture.md, "Who owns a byte", rule 7).
 */
export class StreamBody implements BodySource {
  length: BodyLength = 'unknown'
  /** Bytes that came, padding not counted. */
  received = 0
  limit = Infinity
  /** How many there have to be, or -1. */
  declared = -1
  readonly #stream: BodyStream
  readonly #session: Pick<SendingHome, 'side' | 'output' | 'newQueue'>
  readonly #window: ReceiveWindow
  #sink: BodySink | null = null
  #state: 'waiting' | 'flowing' | 'discarding' | 'complete' | 'failed' = 'waiting'
  /** The taker wants no more for now. */
  #stopped = false
  /** Whether a call into the sink is under way, so that `resume` from inside only says that it goes on. */
  #passing = false
  /** Bytes that the taker took, and said stop: they are owed when it goes on. */
  #taken = 0
  #queue: ByteQueue | null = null
  #ended = false
  #trailers: HeaderList | null = null
  #error: ProxyError | null = null

  /** @param window how much the peer may send ahead of our credit */
  constructor(
    stream: BodyStream,
    session: Pick<SendingHome, 'side' | 'output' | 'newQueue'>,
    window: number,
  ) {
    this.#stream = stream
    this.#session = session
    this.#window = new ReceiveWindow(window)
  }

  /** Whether it is we who do not read: nobody takes it yet, or its taker wants no more for now. */
  get stopped(): boolean {
    return this.#state === 'waiting' || this.#stopped
  }

  /**
   * Bytes came.
   * @param flow what their frame counts against the window, or -1 where it was counted
   * @param padding how much of that is padding
   * @returns an error code for the stream, or NO_ERROR
   */
  take(flow: number, padding: number, buffer: Buffer, start: number, end: number): number {
    if (flow > 0 && !this.#window.take(flow)) return FLOW_CONTROL_ERROR
    const bytes = end - start
    this.received += bytes
    if (this.declared >= 0 && this.received > this.declared) return PROTOCOL_ERROR
    if (flow > 0) this.#owe(padding)
    if (bytes === 0 || this.#state === 'failed' || this.#state === 'discarding') return NO_ERROR
    if (this.received > this.limit) {
      const error = new ProxyError('request_too_large')
      this.fail(error)
      this.#stream.owner.onBodyBroken(error)
      return NO_ERROR
    }
    if (this.#state === 'flowing' && !this.#stopped && !this.#passing && this.#waits === 0)
      this.#pass(buffer.subarray(start, end), false)
    else {
      this.#queue ??= this.#session.newQueue()
      this.#queue.copy(buffer, start, end)
    }
    return NO_ERROR
  }

  /** Whether as many bytes came as were declared. */
  get mayEnd(): boolean {
    return this.declared < 0 || this.received === this.declared
  }

  /** The peer's END_STREAM. */
  finish(trailers: HeaderList | null): void {
    this.#ended = true
    this.#trailers = trailers
    this.#goOn()
  }

  /** It will not be completed. */
  fail(error: ProxyError): void {
    if (this.#state === 'complete' || this.#state === 'failed') return
    this.#state = 'failed'
    this.#error = error
    this.#queue?.clear()
    const sink = this.#sink
    this.#sink = null
    sink?.abort(error)
  }

  start(sink: BodySink): void {
    if (this.#state !== 'waiting') {
      sink.abort(
        this.#error ?? new ProxyError(this.#session.side === 'server' ? 'body_aborted' : 'upstream_aborted'),
      )
      return
    }
    this.#state = 'flowing'
    this.#sink = sink
    this.#goOn()
  }

  resume(): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#owe(this.#taken)
    this.#taken = 0
    this.#goOn()
  }

  abort(): void {
    if (this.#state !== 'flowing' && this.#state !== 'waiting') return
    // The peer gets no more credit for it, and whoever gives up says how the stream ends.
    this.#state = 'discarding'
    this.#sink = null
    this.#stopped = false
    this.#queue?.clear()
  }

  /** Nobody will take it any more: what waits is given up. One that somebody takes goes on. */
  abandon(): void {
    if (this.#state === 'waiting') this.abort()
  }

  get #waits(): number {
    return this.#queue === null ? 0 : this.#queue.length
  }

  /** Passes what waits, and then the end. */
  #goOn(): void {
    if (this.#passing) return
    while (this.#state === 'flowing' && !this.#stopped && this.#waits > 0)
      this.#pass((this.#queue as ByteQueue).shift(), true) // something waits in it
    if (this.#state !== 'flowing' || this.#stopped || !this.#ended) return
    this.#state = 'complete'
    const sink = this.#sink
    this.#sink = null
    sink?.end(this.#trailers)
  }

  #pass(bytes: Buffer, owned: boolean): void {
    const { length } = bytes
    this.#passing = true
    // Flowing has a sink.
    const more = (this.#sink as BodySink).chunk(bytes, owned)
    this.#passing = false
    if (more) this.#owe(length)
    else if (this.#state === 'flowing') {
      this.#stopped = true
      this.#taken += length
    }
  }

  #owe(bytes: number): void {
    if (
      bytes === 0 ||
      this.#ended ||
      this.#stream.closed ||
      this.#state === 'failed' ||
      this.#state === 'discarding'
    )
      return
    this.#window.owe(bytes)
    const credit = this.#window.credit()
    if (credit > 0) this.#session.output.windowUpdate(this.#stream.id, credit)
  }
}
