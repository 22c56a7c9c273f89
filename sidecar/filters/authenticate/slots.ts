/** Work of which only so much runs and waits at a time; what comes beyond is turned away at once. */
export class Slots {
  readonly #most: number
  readonly #waitingMost: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(running: number, waiting: number) {
    this.#most = running
    this.#waitingMost = waiting
  }

  /** Runs the work when there is room for it. @returns null where there is none */
  run<T>(work: () => Promise<T>): Promise<T> | null {
    if (this.#running < this.#most) return this.#start(work)
    if (this.#waiting.length >= this.#waitingMost) return null
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    // Whoever ends hands its place on, so that nobody who comes later takes it.
    return promise.then(() => this.#finish(work))
  }

  #start<T>(work: () => Promise<T>): Promise<T> {
    this.#running++
    return this.#finish(work)
  }

  #finish<T>(work: () => Promise<T>): Promise<T> {
    return work().finally(() => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    })
  }
}
