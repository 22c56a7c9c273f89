import { BufferedBody, type BodyLength, type BodySink, type BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import type { Route } from '../snapshot/route.ts'
import { mayRepeat } from './retry.ts'

/** How much of a body is kept for the reuse race where the route has no retries. */
const RACE_LIMIT = 65_536

/**
 * A body that can be sent again, or null where there can be no other attempt, or it is known to be longer than what may
 * be kept.
 *
 * @param used whether its connection was used before, so that the request may be lost to the reuse race
 * @param refusable whether it may come back unprocessed
 */
export function keepBody(
  method: string,
  body: BodySource,
  used: boolean,
  refusable: boolean,
  route: Route,
  parts: { readonly budget: MemoryBudget; readonly buffers: ReadBuffers },
): ReplayBody | null {
  const { retry } = route.policies
  const again = retry !== null && retry.methods.includes(method)
  const lost = mayRepeat(method) && (used || route.fallback !== null)
  if (!again && !refusable && !lost) return null
  const limit = retry?.replay ?? RACE_LIMIT
  const known = typeof body.length === 'number' ? body.length : 0
  return known > limit ? null : new ReplayBody(body, parts.budget, parts.buffers, limit)
}

/**
 * A request body that can be sent twice: it passes on what comes and keeps a copy of it up to a limit. As long as
 * nothing more came, the next attempt begins with the copy. Beyond that the copy is dropped and the body is a plain one.
 */
export class ReplayBody implements BodySource {
  readonly #source: BodySource
  readonly #budget: MemoryBudget
  readonly #buffers: ReadBuffers
  readonly #limit: number
  /** What takes the body from its source. */
  readonly #taker: BodySink = {
    chunk: (bytes, owned) => this.#chunk(bytes, owned),
    end: trailers => {
      this.#ended = true
      this.#trailers = trailers
      this.#end()
    },
    abort: error => {
      this.#failed = error
      const sink = this.#sink
      this.#sink = null
      sink?.abort(error)
    },
  }
  #copies: Buffer[] = []
  #size = 0
  #whole = true
  #started = false
  #ended = false
  #trailers: HeaderList | null = null
  #failed: ProxyError | null = null
  #sink: BodySink | null = null

  /** @param limit bytes; a longer body is not kept for a second attempt */
  constructor(source: BodySource, budget: MemoryBudget, buffers: ReadBuffers, limit: number) {
    this.#source = source
    this.#budget = budget
    this.#buffers = buffers
    this.#limit = limit
  }

  get length(): BodyLength {
    return this.#source.length
  }

  /** Whether another attempt can send it from the start. */
  get replayable(): boolean {
    return this.#whole && this.#failed === null
  }

  /** A copy of the whole body for an attempt beside the one that it goes to; null where it is not all here. */
  get copy(): BodySource | null {
    return this.#ended && this.replayable ? new BufferedBody(Buffer.concat(this.#copies)) : null
  }

  start(sink: BodySink): void {
    if (this.#failed !== null) {
      sink.abort(this.#failed)
      return
    }
    this.#sink = sink
    if (!this.#started) {
      this.#started = true
      this.#source.start(this.#taker)
      return
    }
    let more = true
    for (const copy of this.#copies) more = sink.chunk(copy, false) && more
    if (this.#ended) this.#end()
    else if (more) this.#source.resume()
  }

  resume(): void {
    if (!this.#ended) this.#source.resume()
  }

  /** An attempt is over. The body itself goes on: there may be another. */
  abort(): void {
    this.#sink = null
  }

  /** There will be no other attempt. Gives back the memory, and stops the client's body where nobody takes it. */
  release(error: ProxyError | null): void {
    this.#drop()
    if (error !== null && !this.#ended && this.#failed === null) {
      this.#failed = error
      this.#source.abort(error)
    }
  }

  #chunk(bytes: Buffer, owned: boolean): boolean {
    const sink = this.#sink
    // Whatever the limit while nobody takes it: the next attempt is decided already, and would begin in the middle.
    if (this.#whole && sink !== null && !this.#fits(bytes.length)) this.#drop()
    if (this.#whole) this.#keep(bytes)
    if (sink !== null) return sink.chunk(bytes, owned)
    // Between two attempts what came is kept, and no more is read.
    if (owned) this.#buffers.release(bytes)
    return false
  }

  #fits(bytes: number): boolean {
    return this.#size + bytes <= this.#limit && this.#budget.roomy
  }

  #end(): void {
    const sink = this.#sink
    this.#sink = null
    sink?.end(this.#trailers)
  }

  #keep(bytes: Buffer): void {
    this.#size += bytes.length
    this.#budget.take(bytes.length)
    this.#copies.push(Buffer.from(bytes))
  }

  #drop(): void {
    this.#whole = false
    this.#budget.give(this.#size)
    this.#size = 0
    this.#copies = []
  }
}
