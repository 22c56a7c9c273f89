import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { percentile } from '../../bench/statistics.ts'

/** What came of an open load. */
export interface OpenOutcome {
  /** Answers with 200 a second. */
  readonly goodput: number
  /** The share that was answered with 503. */
  readonly shed: number
  /** Requests without an answer, or with another one. */
  readonly failed: number
  /** Milliseconds from when a request was due to its 200: the median, and what ninety-nine of a hundred took at most. */
  readonly p50: number
  readonly p99: number
  /** The reasons of the 503s. */
  readonly reasons: Readonly<Record<string, number>>
}

const TICK_MS = 2

/**
 * An open load: requests at an even rate whether the answers come or not, as many users make it. What finds no
 * connection waits for one, and its time runs from when it was due.
 */
export async function openLoad(port: number, rate: number, seconds: number): Promise<OpenOutcome> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1024 })
  const times: number[] = []
  const reasons: Record<string, number> = {}
  let sent = 0
  let shed = 0
  let failed = 0
  let open = 0
  const begun = performance.now()
  const send = (due: number): void => {
    open++
    const request = http.get({ host: '127.0.0.1', port, path: '/', agent }, response => {
      let body = ''
      response.setEncoding('latin1').on('data', (text: string) => (body += text))
      response.on('end', () => {
        open--
        if (response.statusCode === 200) times.push(performance.now() - due)
        else if (response.statusCode === 503) {
          shed++
          const reason = /"reason":"(\w+)"/.exec(body)?.[1] ?? 'unknown'
          reasons[reason] = (reasons[reason] ?? 0) + 1
        } else failed++
      })
    })
    request.on('error', () => {
      open--
      failed++
    })
  }
  await new Promise<void>(resolve => {
    const timer = setInterval(() => {
      const elapsed = performance.now() - begun
      for (; sent < (Math.min(elapsed, seconds * 1000) / 1000) * rate; sent++)
        send(begun + (sent / rate) * 1000)
      if (elapsed < seconds * 1000 || (open > 0 && elapsed < seconds * 1000 + 5000)) return
      clearInterval(timer)
      resolve()
    }, TICK_MS)
  })
  agent.destroy()
  return {
    goodput: times.length / seconds,
    shed: shed / sent,
    failed: failed + open,
    p50: percentile(times, 50),
    p99: percentile(times, 99),
    reasons,
  }
}

/** A service that works on so many requests at once, each for some milliseconds, and keeps all others waiting. */
export class FixedService {
  readonly #server: http.Server
  readonly #waiting: http.ServerResponse[] = []
  readonly #capacity: number
  readonly #work: number
  #working = 0

  private constructor(capacity: number, work: number) {
    this.#capacity = capacity
    this.#work = work
    this.#server = http.createServer({ keepAliveTimeout: 60_000 }, (_request, response) => {
      this.#waiting.push(response)
      this.#next()
    })
  }

  static async listen(capacity: number, work: number): Promise<FixedService> {
    const service = new FixedService(capacity, work)
    service.#server.listen(0, '127.0.0.1')
    await once(service.#server, 'listening')
    return service
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port // it listens on TCP
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #next(): void {
    while (this.#working < this.#capacity && this.#waiting.length > 0) {
      const response = this.#waiting.shift()
      this.#working++
      setTimeout(() => {
        this.#working--
        response?.end('answer')
        this.#next()
      }, this.#work)
    }
  }
}
