import type { ProxyError } from '../exchange/proxy-error.ts'
import { HeadCollector } from './head-collector.ts'
import { parseRequestHead } from './head-parser.ts'
import type { HeadLimits, RequestHead } from './message.ts'

/** The request heads of one connection, one after another: collected, then parsed. */
export class RequestHeads {
  readonly #collector = new HeadCollector('request')

  /** Whether a head has begun and is not complete. */
  get partial(): boolean {
    return this.#collector.partial
  }

  /** After a head: where in the bytes given to `read` it ended. */
  get next(): number {
    return this.#collector.next
  }

  /** Takes bytes. @returns a head, why what came is none, or null where more bytes are needed */
  read(buffer: Buffer, start: number, end: number, limits: HeadLimits): RequestHead | ProxyError | null {
    const result = this.#collector.push(buffer, start, end, limits)
    if (result === 'more') return null
    const { text, bytes } = this.#collector
    return result === 'refused' ? this.#collector.error : parseRequestHead(text, limits, bytes)
  }

  /** Gives up a partial head and a refusal. */
  reset(): void {
    this.#collector.reset()
  }
}
