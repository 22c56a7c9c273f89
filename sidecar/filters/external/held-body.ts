import type { BodyLength, BodySink, BodySource } from '../../exchange/body.ts'
import type { HeaderList } from '../../exchange/headers.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import type { FilterParts } from '../filter.ts'

/**
 * A request body that is read before anybody decides, and goes upstream afterwards as it came. One that is longer than was
 * agreed is read no further; it can go on all the same.
 */
export class HeldBody implements BodySource {
  readonly length: BodyLength
  readonly #source: BodySource
  readonly #most: number
  readonly #parts: Pick<FilterParts, 'budget' | 'buffers'>
  readonly #settled = Promise.withResolvers<ProxyError | null>()
  #pieces: Buffer[] = []
  #size = 0
  #counted = 0
  #over: { readonly trailers: HeaderList | null } | ProxyError | null = null
  #sink: BodySink | null = null
  /** Whether the source waits to be told to go on. */
  #waits = false

  /** @param most bytes */
  constructor(source: BodySource, most: number, parts: Pick<FilterParts, 'budget' | 'buffers'>) {
    this.length = source.length
    this.#source = source
    this.#most = most
    this.#parts = parts
  }

  /** Reads it. @returns why it is not whole: it is too long, there is no memory for it, or it broke */
  hold(): Promise<ProxyError | null> {
    this.#source.start({
      chunk: (bytes, owned) => this.#take(bytes, owned),
      end: trailers => this.#end({ trailers }),
      abort: error => this.#end(error),
    })
    return this.#settled.promise
  }

  /** What was read so far. */
  get bytes(): Buffer {
    const [only, second] = this.#pieces
    if (only !== undefined && second === undefined) return only
    const whole = Buffer.concat(this.#pieces)
    this.#pieces = [whole]
    return whole
  }

  /** Frees what nobody will read any more. */
  drop(): void {
    this.#pieces = []
    this.#parts.budget.give(this.#counted)
    this.#counted = 0
  }

  start(sink: BodySink): void {
    const { bytes } = this
    this.#sink = sink
    this.drop()
    const more = bytes.length === 0 || sink.chunk(bytes, true)
    if (this.#over !== null) this.#finish(this.#over)
    else if (more) this.resume()
  }

  resume(): void {
    if (!this.#waits) return
    this.#waits = false
    this.#source.resume()
  }

  abort(error: ProxyError): void {
    this.drop()
    if (this.#over === null) this.#source.abort(error)
  }

  #take(bytes: Buffer, owned: boolean): boolean {
    if (this.#sink !== null) {
      this.#waits = !this.#sink.chunk(bytes, owned)
      return !this.#waits
    }
    this.#pieces.push(Buffer.from(bytes))
    if (owned) this.#parts.buffers.release(bytes)
    this.#size += bytes.length
    this.#counted += bytes.length
    this.#parts.budget.take(bytes.length)
    if (this.#size <= this.#most && this.#parts.budget.roomy) return true
    this.#waits = true
    this.#settled.resolve(new ProxyError(this.#size > this.#most ? 'request_too_large' : 'overloaded'))
    return false
  }

  #end(over: { readonly trailers: HeaderList | null } | ProxyError): void {
    this.#over = over
    if (this.#sink !== null) this.#finish(over)
    else this.#settled.resolve(over instanceof ProxyError ? over : null)
  }

  #finish(over: { readonly trailers: HeaderList | null } | ProxyError): void {
    if (over instanceof ProxyError) this.#sink?.abort(over)
    else this.#sink?.end(over.trailers)
  }
}
