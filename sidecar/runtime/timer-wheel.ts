import type { Clock } from './clock.ts'

/** What a timer calls when its time has come. */
export interface TimerOwner {
  onTimer(timer: Timer): void
}

/**
 * One deadline that can be moved. Moving it later or switching it off costs one assignment: the wheel looks at the
 * deadline only when its slot comes round, and puts the timer where it belongs then.
 */
export class Timer {
  readonly owner: TimerOwner
  /** When it fires, on the wheel's clock; Infinity while it is off. Set through the wheel. */
  deadline = Infinity
  /** The tick whose slot it stands in, or -1 where it stands in none. */
  tick = -1
  previous: Timer | null = null
  next: Timer | null = null
  constructor(owner: TimerOwner) {
    this.owner = owner
  }
}

const SLOTS = 512
const TICK_MS = 100
/** The tick of a wheel for short pauses: back-off, hedges, injected delays. */
export const FINE_TICK_MS = 10

/**
 * All deadlines of the data path on one coarse tick of 100 ms: a `setTimeout` pair costs 0.8 us, an `AbortSignal`
 * 4 us, this some 20 ns. A timer fires at the first tick at or after its deadline, never before.
 *
 * A second wheel of `FINE_TICK_MS` holds what a tenth of a second would spoil. It ticks only while a timer stands in it.
 */
export class TimerWheel {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #slots: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null)
  readonly #start: number
  #tick = 0
  #size = 0
  #interval: NodeJS.Timeout | null = null
  #fault: ((error: unknown) => void) | null = null
  /** The first error that an owner threw in this advance. */
  #failure: { readonly error: unknown } | null = null

  /** @param tick milliseconds; a wheel finer than the usual one ticks only while it holds a timer */
  constructor(clock: Clock, tick = TICK_MS) {
    this.#clock = clock
    this.#tickMs = tick
    this.#start = clock.now()
    this.tickEnd = this.#start + tick
  }

  /**
   * When the tick that now runs ends: the present rounded up to a tick, free of charge, for noting when something
   * moved last. Of a wheel that sleeps it is the past.
   */
  tickEnd: number

  /** How many timers stand in a slot; zero when nothing leaks. */
  get size(): number {
    return this.#size
  }

  /** The clock's time, for computing deadlines. */
  now(): number {
    return this.#clock.now()
  }

  /** Sets or moves a deadline to `delay` milliseconds from now. `Infinity` switches it off. */
  schedule(timer: Timer, delay: number): void {
    this.scheduleAt(timer, delay === Infinity ? Infinity : this.#clock.now() + delay)
  }

  /** Sets or moves a deadline to a moment of the wheel's clock. */
  scheduleAt(timer: Timer, deadline: number): void {
    timer.deadline = deadline
    if (deadline === Infinity) return
    const due = this.#tickOf(deadline)
    if (timer.tick !== -1) {
      if (due >= timer.tick) return
      this.#unlink(timer)
    }
    this.#link(timer, due)
  }

  /** Takes the timer out of the wheel, so that the wheel holds no reference to its owner. */
  remove(timer: Timer): void {
    timer.deadline = Infinity
    if (timer.tick !== -1) this.#unlink(timer)
  }

  /**
   * Begins to tick on the real event loop. Does not keep the process alive.
   * @param fault told of what an owner threw: a bug, which must not end the process
   */
  run(fault: (error: unknown) => void): void {
    this.#fault = fault
    if (!this.#sleeps) this.#wake(fault)
  }

  stop(): void {
    this.#fault = null
    this.#sleep()
  }

  get #sleeps(): boolean {
    return this.#size === 0 && this.#tickMs < TICK_MS
  }

  #wake(fault: (error: unknown) => void): void {
    this.#interval ??= setInterval(() => {
      try {
        this.advance()
      } catch (error) {
        fault(error)
      }
      if (this.#sleeps) this.#sleep()
    }, this.#tickMs).unref()
  }

  #sleep(): void {
    if (this.#interval !== null) clearInterval(this.#interval)
    this.#interval = null
  }

  /**
   * Fires what is due by the clock. Called by the tick; tests call it after they stepped their clock.
   * @throws the first error that an owner threw, after all the others had their turn
   */
  advance(): void {
    const now = this.#clock.now()
    const target = Math.floor((now - this.#start) / this.#tickMs)
    // After a long pause every slot is visited once, not once for each tick that was missed.
    const from = Math.max(this.#tick + 1, target - SLOTS + 1)
    // Moved on before anything fires: what an owner schedules now belongs to a later tick, never to one just walked.
    this.#tick = Math.max(this.#tick, target)
    this.tickEnd = this.#start + (this.#tick + 1) * this.#tickMs
    for (let tick = from; tick <= target; tick++) this.#fire(tick, target, now)
    if (this.#failure === null) return
    const { error } = this.#failure
    this.#failure = null
    throw error
  }

  #fire(tick: number, target: number, now: number): void {
    const slot = tick % SLOTS
    let timer = this.#slots[slot] ?? null
    // The slot's list is taken out whole: owners may schedule and remove timers while it is walked.
    const due: Timer[] = []
    while (timer !== null) {
      const next = timer.next
      if (timer.tick <= target) {
        this.#unlink(timer)
        if (timer.deadline <= now) due.push(timer)
        else if (timer.deadline !== Infinity) this.#link(timer, this.#tickOf(timer.deadline))
      }
      timer = next
    }
    for (const one of due) {
      // An owner that fired before this one may have moved or removed it.
      if (one.tick !== -1 || one.deadline > now) continue
      one.deadline = Infinity
      try {
        one.owner.onTimer(one)
      } catch (error) {
        // A bug in one owner must not cost the others their deadlines: they already left their slots.
        this.#failure ??= { error }
      }
    }
  }

  #tickOf(deadline: number): number {
    return Math.max(this.#tick + 1, Math.ceil((deadline - this.#start) / this.#tickMs))
  }

  #link(timer: Timer, tick: number): void {
    const slot = tick % SLOTS
    const head = this.#slots[slot] ?? null
    timer.tick = tick
    timer.previous = null
    timer.next = head
    if (head !== null) head.previous = timer
    this.#slots[slot] = timer
    this.#size++
    if (this.#interval === null && this.#fault !== null) this.#wake(this.#fault)
  }

  #unlink(timer: Timer): void {
    if (timer.previous !== null) timer.previous.next = timer.next
    else this.#slots[timer.tick % SLOTS] = timer.next
    if (timer.next !== null) timer.next.previous = timer.previous
    timer.previous = null
    timer.next = null
    timer.tick = -1
    this.#size--
  }
}
