import http from 'node:http'

/** What came of the requests of one phase. */
export interface LoadResult {
  readonly sent: number
  /** Answered with 200 in time. */
  readonly good: number
  /** Milliseconds of all, those that were given up included. */
  readonly p50: number
  readonly p99: number
}

/** Every request is given up after so long: nobody waits longer for a page. */
const PATIENCE_MS = 1000
const TICK_MS = 5

/**
 * An open load: requests at an even rate whether the answers come or not, to some ports in turn, as a client does it that
 * knows its backends and nothing of how they are.
 */
export class Load {
  readonly #ports: readonly number[]
  readonly #rate: number
  readonly #agent = new http.Agent({ keepAlive: true })
  #next = 0

  constructor(ports: readonly number[], rate: number) {
    this.#ports = ports
    this.#rate = rate
  }

  async run(seconds: number): Promise<LoadResult> {
    const begun = performance.now()
    const answers: Promise<boolean>[] = []
    const times: number[] = []
    const total = Math.max(1, Math.round(seconds * this.#rate))
    await new Promise<void>(resolve => {
      const timer = setInterval(() => {
        const due = Math.min(total, ((performance.now() - begun) / 1000) * this.#rate)
        while (answers.length < due) answers.push(this.#ask(times))
        if (answers.length < total) return
        clearInterval(timer)
        resolve()
      }, TICK_MS)
    })
    const good = (await Promise.all(answers)).filter(Boolean).length
    times.sort((a, b) => a - b)
    const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0
    return { sent: total, good, p50: at(0.5), p99: at(0.99) }
  }

  close(): void {
    this.#agent.destroy()
  }

  #ask(times: number[]): Promise<boolean> {
    const port = this.#ports[this.#next++ % this.#ports.length]
    const begun = performance.now()
    return new Promise(resolve => {
      const end = (good: boolean): void => {
        times.push(performance.now() - begun)
        resolve(good)
      }
      const signal = AbortSignal.timeout(PATIENCE_MS)
      http
        .get({ host: '127.0.0.1', port, agent: this.#agent, signal }, response => {
          response.on('error', () => end(false))
          response.on('end', () => end(response.statusCode === 200))
          response.resume()
        })
        .on('error', () => end(false))
    })
  }
}
