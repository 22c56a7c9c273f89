import type http from 'node:http'
import { type ApiAnswer, causeOf, noAnswer, readAnswer, reasonOf } from './api-answer.ts'
import { type ApiObject, isObject } from './api-object.ts'

/** What a watch tells of an object; `BOOKMARK` only that there was nothing until its resource version. */
export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'

/** What hears of a watch. */
export interface WatchListener {
  /** The server has taken it. */
  onOpen?(): void
  onEvent(type: WatchEventType, object: ApiObject): void
  /**
   * It is over. Without an error the server has closed it, as it does every few minutes; status 410: the resource
   * version is too old, list anew.
   */
  onEnd(end: Pick<ApiAnswer, 'status' | 'error'>): void
}

/** How much of a watch is held at one time, and how long its head may take. */
interface WatchBounds {
  readonly timeout: number
  readonly maxAnswer: number
  readonly maxEvent: number
}

const NEWLINE = 0x0a
const TYPES: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'])

/** A watch under way: a line of JSON for each event. */
export class WatchStream {
  readonly #listener: WatchListener
  readonly #bounds: WatchBounds
  #request: http.ClientRequest | null = null
  #timer: NodeJS.Timeout | null = null
  /** Parts of a line that is not whole yet. */
  #parts: Buffer[] = []
  #held = 0
  #over = false

  constructor(listener: WatchListener, bounds: WatchBounds) {
    this.#listener = listener
    this.#bounds = bounds
  }

  /** Sends the request, and reads its answer. */
  follow(request: http.ClientRequest): void {
    if (this.#over) {
      request.destroy()
      return
    }
    this.#request = request
    this.#timer = setTimeout(
      () => this.fail(`no answer within ${this.#bounds.timeout} ms`),
      this.#bounds.timeout,
    )
    // Nothing is sent for minutes: only this shows that the server is gone without a word.
    request.on('socket', socket => socket.setKeepAlive(true, 15_000, 5000, 3))
    request.on('error', error => this.fail(causeOf(error)))
    request.on('upgrade', (_response, socket) => {
      socket.destroy()
      this.fail('it spoke another protocol')
    })
    request.on('response', response => this.#read(response))
    request.end()
  }

  /** Ends it, and tells the listener why. */
  fail(error: string): void {
    this.#end(noAnswer(error))
  }

  /** Ends it. The listener hears nothing more. */
  close(): void {
    if (this.#over) return
    this.#over = true
    this.#letGo()
  }

  #read(response: http.IncomingMessage): void {
    this.#stopClock()
    if (response.statusCode !== 200) {
      this.#timer = setTimeout(() => this.fail('the answer was cut'), this.#bounds.timeout)
      readAnswer(response, this.#bounds.maxAnswer, answer => this.#end(answer))
      return
    }
    response.on('data', (chunk: Buffer) => this.#take(chunk))
    response.on('error', error => this.fail(causeOf(error)))
    response.on('close', () => {
      // One that is cut within a line brought an event that nobody heard: said, though the next watch brings it again.
      if (response.complete && this.#held === 0) this.#end({ status: 200, error: '' })
      else this.fail('the watch was cut')
    })
    if (!this.#over) this.#listener.onOpen?.()
  }

  #take(chunk: Buffer): void {
    let from = 0
    while (!this.#over) {
      const end = chunk.indexOf(NEWLINE, from)
      const part = chunk.subarray(from, end === -1 ? chunk.length : end)
      this.#held += part.length
      if (this.#held > this.#bounds.maxEvent) {
        this.fail(`an event is longer than ${this.#bounds.maxEvent} bytes`)
        return
      }
      if (part.length > 0) this.#parts.push(part)
      if (end === -1) return
      from = end + 1
      const line = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts)
      this.#parts = []
      this.#held = 0
      if (line !== undefined && line.length > 0) this.#event(line.toString('utf8'))
    }
  }

  #event(line: string): void {
    let event: unknown
    try {
      event = JSON.parse(line)
    } catch {
      this.fail('an event is no JSON')
      return
    }
    const type = isObject(event) ? event['type'] : undefined
    const object = isObject(event) ? event['object'] : undefined
    if (type === 'ERROR') {
      const code = isObject(object) && typeof object['code'] === 'number' ? object['code'] : 500
      this.#end({ status: code, error: `${code} ${reasonOf(object)}`.trimEnd() })
    } else if (isType(type) && isObject(object)) {
      this.#listener.onEvent(type, object)
    } else {
      this.fail('an event is none of the API')
    }
  }

  #end(end: Pick<ApiAnswer, 'status' | 'error'>): void {
    if (this.#over) return
    this.#over = true
    this.#letGo()
    this.#listener.onEnd({ status: end.status, error: end.error })
  }

  #letGo(): void {
    this.#stopClock()
    this.#parts = []
    this.#request?.destroy()
    this.#request = null
  }

  #stopClock(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}

function isType(type: unknown): type is WatchEventType {
  return TYPES.has(type)
}
