import { Timer, type TimerOwner, type TimerWheel } from '../../runtime/timer-wheel.ts'

/** Hears how a look-up ended. */
export type LookupDone = (error: NodeJS.ErrnoException | null, addresses: string[]) => void

/** Looks a name up once; `dns.lookup` in the product, a script in tests. */
export type Lookup = (name: string, done: LookupDone) => void

/** How much of the thread pool look-ups may take. */
export interface LookupQueueSettings {
  /** Notices look-ups that hang; without it none is taken to. */
  readonly wheel?: TimerWheel
  /** Look-ups at once. */
  readonly slots?: number
  /** Look-ups that hang and are waited for no longer, beside those. */
  readonly stuck?: number
  /** Told of a bug in whoever asked. */
  readonly fault?: (error: unknown) => void
}

/** A look-up that lasts longer hangs: its name server does not answer, and whoever waits behind it should not wait. */
const HANGS_MS = 2000
/** How many names are remembered that hung. */
const SUSPECTS = 1024

/**
 * Look-ups sit on threads of the pool until their name server answers, which can take half a minute. So there are few
 * at once, one a name, and one that hangs gives its place to the next. A name that hung is asked again only in a place
 * for those that hang: names that are answered never wait for it twice.
 */
export class LookupQueue {
  readonly #lookup: Lookup
  readonly #wheel: TimerWheel | null
  readonly #slots: number
  readonly #places: number
  readonly #fault: (error: unknown) => void
  readonly #flights = new Map<string, Flight>()
  readonly #waiting: Flight[] = []
  readonly #suspects = new Set<string>()
  #running = 0
  #stuck = 0

  constructor(lookup: Lookup, { wheel, slots = 2, stuck = 2, fault = rethrow }: LookupQueueSettings = {}) {
    this.#lookup = lookup
    this.#wheel = wheel ?? null
    this.#slots = slots
    this.#places = stuck
    this.#fault = fault
  }

  /** Looks a name up, or joins who does. Calls `done` once, perhaps before it returns. */
  run(name: string, done: LookupDone): void {
    const before = this.#flights.get(name)
    if (before !== undefined) {
      before.takers.push(done)
      return
    }
    const flight = new Flight(name, done, one => this.#hangs(one))
    this.#flights.set(name, flight)
    this.#waiting.push(flight)
    this.#next()
  }

  /** Whoever asked wants no answer any more. One that nobody waits for is not begun. */
  withdraw(name: string, done: LookupDone): void {
    const flight = this.#flights.get(name)
    if (flight === undefined) return
    flight.takers = flight.takers.filter(taker => taker !== done)
    const at = this.#waiting.indexOf(flight)
    if (flight.takers.length > 0 || at === -1) return
    this.#waiting.splice(at, 1)
    this.#flights.delete(name)
  }

  #next(): void {
    for (;;) {
      const at = this.#waiting.findIndex(flight =>
        this.#suspects.has(flight.name) ? this.#stuck < this.#places : this.#running < this.#slots,
      )
      const [flight] = at === -1 ? [] : this.#waiting.splice(at, 1)
      if (flight === undefined) return
      flight.place = this.#suspects.has(flight.name) ? 'stuck' : 'running'
      this.#count(flight, 1)
      if (flight.place === 'running') this.#wheel?.schedule(flight.timer, HANGS_MS)
      flight.began = this.#wheel?.now() ?? 0
      try {
        this.#lookup(flight.name, (error, addresses) => this.#answered(flight, error, addresses))
      } catch (error) {
        this.#answered(flight, error instanceof Error ? error : new Error(String(error)), [])
      }
    }
  }

  #answered(flight: Flight, error: NodeJS.ErrnoException | null, addresses: string[]): void {
    if (flight.place === 'over') return
    this.#wheel?.remove(flight.timer)
    this.#count(flight, -1)
    flight.place = 'over'
    this.#flights.delete(flight.name)
    if ((this.#wheel?.now() ?? 0) - flight.began < HANGS_MS) this.#suspects.delete(flight.name)
    this.#next()
    for (const taker of flight.takers) {
      try {
        taker(error, addresses)
      } catch (bug) {
        this.#fault(bug)
      }
    }
  }

  /** It has lasted too long: its slot goes to the next, where there is a place for one more that hangs. */
  #hangs(flight: Flight): void {
    if (flight.place !== 'running') return
    if (this.#suspects.size >= SUSPECTS) this.#suspects.clear()
    this.#suspects.add(flight.name)
    if (this.#stuck >= this.#places) {
      this.#wheel?.schedule(flight.timer, HANGS_MS)
      return
    }
    this.#count(flight, -1)
    flight.place = 'stuck'
    this.#count(flight, 1)
    this.#next()
  }

  #count(flight: Flight, by: 1 | -1): void {
    if (flight.place === 'running') this.#running += by
    else this.#stuck += by
  }
}

/** One look-up, for all who asked for its name. */
class Flight implements TimerOwner {
  readonly name: string
  readonly timer = new Timer(this)
  takers: LookupDone[]
  place: 'waiting' | 'running' | 'stuck' | 'over' = 'waiting'
  began = 0
  readonly #hangs: (flight: Flight) => void

  constructor(name: string, done: LookupDone, hangs: (flight: Flight) => void) {
    this.name = name
    this.takers = [done]
    this.#hangs = hangs
  }

  onTimer(): void {
    this.#hangs(this)
  }
}

function rethrow(error: unknown): never {
  throw error
}
