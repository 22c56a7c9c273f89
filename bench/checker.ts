import http from 'node:http'
import https from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import type { LoadOptions } from './load.ts'
import { BODY } from './origin.ts'

/** What the correctness check beside a load found. */
export interface CheckResult {
  readonly compared: number
  /** Responses that differ from what the origin sends for that request. */
  readonly wrong: number
}

/** How requests are made beside what they ask for. */
export type Asking = Pick<LoadOptions, 'encrypted' | 'authorization'>

const EVERY_MS = 10

/**
 * Asks through the proxy while it is under load and compares every response byte for byte: in turn the small answer of
 * the load and an echo that is different each time, so that a response that belongs to another request shows.
 */
export class Checker {
  readonly #port: number
  readonly #agent: http.Agent
  readonly #get: typeof http.get
  readonly #headers: Readonly<Record<string, string>>
  readonly #done: Promise<void>
  #compared = 0
  #wrong = 0
  #stopped = false

  constructor(port: number, { encrypted = false, authorization }: Asking) {
    this.#port = port
    this.#headers = authorization === undefined ? {} : { authorization }
    const settings = { keepAlive: true, maxSockets: 1 }
    // Who answers is not what is checked here.
    this.#agent = encrypted
      ? new https.Agent({ ...settings, rejectUnauthorized: false })
      : new http.Agent(settings)
    this.#get = encrypted ? https.get : http.get
    this.#done = this.#run()
  }

  /** Ends the check and tells what it found. */
  async stop(): Promise<CheckResult> {
    this.#stopped = true
    await this.#done
    this.#agent.destroy()
    return { compared: this.#compared, wrong: this.#wrong }
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const text = `check-${turn}-${'x'.repeat(turn % 50)}`
      const [path, expected] = turn % 2 === 0 ? ['/', BODY] : [`/echo?n=${text}`, text]
      if (!(await this.#matches(path, expected))) this.#wrong++
      this.#compared++
      await pause(EVERY_MS)
    }
  }

  #matches(path: string, expected: string): Promise<boolean> {
    return new Promise(resolve => {
      const request = this.#get(
        { host: '127.0.0.1', port: this.#port, path, agent: this.#agent, headers: this.#headers },
        response => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('error', () => resolve(false))
          response.on('end', () => {
            const body = Buffer.concat(parts).toString('latin1')
            resolve(
              response.statusCode === 200 &&
                response.headers['content-type'] === 'application/json' &&
                response.headers['content-length'] === String(expected.length) &&
                body === expected,
            )
          })
        },
      )
      request.on('error', () => resolve(false))
      request.setTimeout(5000, () => request.destroy(new Error('timeout')))
    })
  }
}
