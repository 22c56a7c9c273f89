import { BufferedBody, type BodyLength, type BodySink, type BodySource } from '../exchange/body.ts'
import { ContextKey } from '../exchange/context-key.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** A longer body is not copied. */
export const MIRROR_LIMIT = 65_536

const TAP = new ContextKey<MirrorTap>('mirror')

/** Where a copy goes when its body is whole. */
interface Copy {
  send(body: BodySource): void
}

/** Has the body that goes upstream leave a copy on its way. @returns the body that it goes on with */
export function tapBody(
  exchange: Exchange,
  body: BodySource,
  copy: Copy,
  upstream: Upstream,
  budget: MemoryBudget,
): BodySource {
  const tap = new MirrorTap(body, copy, upstream, budget)
  exchange.set(TAP, tap)
  return tap
}

/** The exchange is over: a body that has not passed as a whole by now never will. */
export function endMirror(exchange: Exchange): void {
  exchange.get(TAP)?.drop()
}

/** A request body on its way that leaves a copy. One that gets too long is cut, and the body goes on without it. */
class MirrorTap implements BodySource {
  readonly #source: BodySource
  readonly #copy: Copy
  readonly #upstream: Upstream
  readonly #budget: MemoryBudget
  #pieces: Buffer[] | null = []
  #size = 0
  #sink: BodySink | null = null
  /** What takes the body from its source. */
  readonly #taker: BodySink = {
    chunk: (bytes, owned) => this.#chunk(bytes, owned),
    end: trailers => this.#end(trailers),
    abort: error => {
      this.drop()
      this.#sink?.abort(error)
    },
  }

  constructor(source: BodySource, copy: Copy, upstream: Upstream, budget: MemoryBudget) {
    this.#source = source
    this.#copy = copy
    this.#upstream = upstream
    this.#budget = budget
    upstream.load.mirrored++
  }

  get length(): BodyLength {
    return this.#source.length
  }

  start(sink: BodySink): void {
    this.#sink = sink
    this.#source.start(this.#taker)
  }

  resume(): void {
    this.#source.resume()
  }

  abort(error: ProxyError): void {
    this.drop()
    this.#source.abort(error)
  }

  #chunk(bytes: Buffer, owned: boolean): boolean {
    const pieces = this.#pieces
    if (pieces !== null) {
      if (this.#size + bytes.length > MIRROR_LIMIT || !this.#budget.roomy) {
        this.drop()
      } else {
        this.#size += bytes.length
        this.#budget.take(bytes.length)
        pieces.push(Buffer.from(bytes))
      }
    }
    return this.#sink?.chunk(bytes, owned) ?? true
  }

  #end(trailers: HeaderList | null): void {
    const pieces = this.#pieces
    // The request first: its copy must not take its place in a queue.
    this.#sink?.end(trailers)
    if (pieces === null || this.#pieces === null) return
    const body = Buffer.concat(pieces)
    this.#give()
    this.#copy.send(new BufferedBody(body))
  }

  /** The body broke, or nobody takes it any more. */
  drop(): void {
    if (this.#pieces === null) return
    this.#give()
    this.#upstream.recorder.mirrorsDropped++
  }

  #give(): void {
    this.#pieces = null
    this.#budget.give(this.#size)
    this.#upstream.load.mirrored--
  }
}
