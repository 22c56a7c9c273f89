import type { Clock } from '../../sidecar/runtime/clock.ts'

/** What a clock drives: a timer wheel. */
interface Driven {
  advance(): void
}

/** The tick of the finest wheel. */
const TICK_MS = 10

/** A clock that moves only when the test says so, and the timer wheels that it drives. */
export class SteppedClock implements Clock {
  #now: number
  readonly #wallOffset: number
  readonly #driven: Driven[] = []
  readonly #pauses: { readonly due: number; readonly resolve: () => void }[] = []

  /** @param now the monotonic start, in milliseconds  @param wall the same moment as a date, in milliseconds */
  constructor(now = 0, wall = Date.UTC(2026, 0, 1)) {
    this.#now = now
    this.#wallOffset = wall - now
  }

  readonly now = (): number => this.#now
  readonly wall = (): number => this.#now + this.#wallOffset

  /** Has this wheel advance with every step. Answers it. */
  drive<T extends Driven>(wheel: T): T {
    this.#driven.push(wheel)
    return wheel
  }

  /** Moves on by `milliseconds`, one tick of the finest wheel at a time, as a thread does that is never late. */
  step(milliseconds: number): void {
    const target = this.#now + milliseconds
    while (this.#now < target) this.#moveTo(Math.min(target, this.#now + TICK_MS))
  }

  /** Moves on in one go, as a thread sees it that was held up for so long. */
  jump(milliseconds: number): void {
    this.#moveTo(this.#now + milliseconds)
  }

  /** A pause for scripts that ends when the clock was stepped past it. */
  readonly pause = (milliseconds: number): Promise<void> =>
    new Promise(resolve => {
      this.#pauses.push({ due: this.#now + milliseconds, resolve })
    })

  #moveTo(now: number): void {
    this.#now = now
    for (const wheel of this.#driven) wheel.advance()
    for (const pause of this.#pauses.toSorted((a, b) => a.due - b.due)) {
      if (pause.due > now) continue
      this.#pauses.splice(this.#pauses.indexOf(pause), 1)
      pause.resolve()
    }
  }
}
