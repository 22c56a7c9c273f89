import http from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { percentile } from '../../bench/statistics.ts'

/** What came of a load. */
export interface LoadOutcome {
  readonly sent: number
  readonly ok: number
  /** Requests that were refused before a connection stood: another instance would have had them. */
  readonly refused: number
  /** Why requests failed, with how often. */
  readonly failed: Readonly<Record<string, number>>
  /** Milliseconds that ninety-nine of a hundred answers took at most. */
  readonly p99: number
}

/**
 * Requests at an even rate over kept connections, whether the answers come or not, by Node's own client: a judge that
 * shares nothing with the proxy. A connection that says `close` is not used again.
 */
export class SteadyLoad {
  readonly #agent: http.Agent
  readonly #port: number
  readonly #path: () => string
  readonly #headers: () => Readonly<Record<string, string>>
  readonly #seen: (body: string) => void
  readonly #timer: NodeJS.Timeout
  readonly #started = performance.now()
  readonly #rate: number
  readonly #times: number[] = []
  readonly #failed: Record<string, number> = {}
  #sent = 0
  #ok = 0
  #refused = 0
  #open = 0
  #idle: (() => void) | null = null

  /**
   * @param rate requests a second  @param options `seen` hears the body of each answer; `sockets`: 64 where not said
   */
  constructor(
    port: number,
    rate: number,
    options: {
      path?: () => string
      headers?: () => Readonly<Record<string, string>>
      seen?: (body: string) => void
      sockets?: number
    } = {},
  ) {
    this.#port = port
    this.#rate = rate
    this.#path = options.path ?? (() => '/')
    this.#headers = options.headers ?? (() => ({}))
    this.#seen = options.seen ?? (() => {})
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: options.sockets ?? 64 })
    this.#timer = setInterval(() => this.#tick(), 5)
  }

  /** How many were sent so far. */
  get sent(): number {
    return this.#sent
  }

  /** Whether the last requests were refused. */
  get refusing(): boolean {
    return this.#refused > 0
  }

  /** Sends no more, and waits for what is under way. */
  async stop(): Promise<LoadOutcome> {
    clearInterval(this.#timer)
    if (this.#open > 0) await new Promise<void>(done => (this.#idle = done))
    this.#agent.destroy()
    return {
      sent: this.#sent,
      ok: this.#ok,
      refused: this.#refused,
      failed: this.#failed,
      p99: percentile(this.#times, 99),
    }
  }

  #tick(): void {
    const due = ((performance.now() - this.#started) / 1000) * this.#rate
    while (this.#sent < due) this.#send()
  }

  #send(): void {
    this.#sent++
    this.#open++
    const begun = performance.now()
    let over = false
    const finish = (why: string): void => {
      if (over) return
      over = true
      if (why === '') this.#ok++
      else if (why === 'ECONNREFUSED') this.#refused++
      else this.#failed[why] = (this.#failed[why] ?? 0) + 1
      this.#times.push(performance.now() - begun)
      if (--this.#open === 0) this.#idle?.()
    }
    const request = http.get(
      {
        host: '127.0.0.1',
        port: this.#port,
        path: this.#path(),
        headers: this.#headers(),
        agent: this.#agent,
        timeout: 20_000,
      },
      response => {
        let body = ''
        response.setEncoding('latin1')
        response.on('data', (text: string) => (body += text))
        response.on('end', () => {
          if (response.complete) this.#seen(body)
          finish(
            response.statusCode === 200 && response.complete
              ? ''
              : `${response.statusCode} ${body.slice(0, 100)}`,
          )
        })
        response.on('error', error => finish(`cut: ${error.message}`))
      },
    )
    request.on('timeout', () => request.destroy(new Error('timeout')))
    request.on('error', error => {
      const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message
      finish(code === 'ECONNREFUSED' ? code : `${code}${request.reusedSocket ? ' on a kept connection' : ''}`)
    })
  }
}

/** A service that answers every request after some milliseconds. */
export class SlowService {
  readonly #server: http.Server
  /** How many requests it has answered. */
  answered = 0

  private constructor(delay: () => number) {
    this.#server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      request.resume()
      setTimeout(() => {
        this.answered++
        response.end('answer')
      }, delay())
    })
  }

  static async listen(delay: () => number): Promise<SlowService> {
    const service = new SlowService(delay)
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
}
