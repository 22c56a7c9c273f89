import { monitorEventLoopDelay } from 'node:perf_hooks'
import v8 from 'node:v8'
import vm from 'node:vm'
import type { Load, Overload } from '../runtime/overload.ts'
import type { CgroupMemory } from './cgroup-memory.ts'

/** How often overload hears of the load. Its steps are made for this. */
const EVERY_MS = 250
const RESOLUTION_MS = 20
/** How many measurements lie between two collections of garbage while memory is short. */
const COLLECT_EVERY = 12

/** What measures a process. */
export interface LoadProbes {
  /** The 99th percentile of the event loop's lag since the last call, in milliseconds. */
  lag(): number
  /** The share of the memory limit in use: of the control group's or of the heap's, whichever is nearer. */
  memory(): number
  /** Collects garbage, where the machine would do so only when it needs room. */
  collect(): void
  close(): void
}

/** Measures four times a second how the process is, and tells `overload`. */
export class LoadGauge {
  readonly #overload: Overload
  readonly #probes: LoadProbes
  readonly #changed: (load: Load) => void
  readonly #timer: NodeJS.Timeout
  #cause = ''
  #closing = false
  #sinceCollection = COLLECT_EVERY

  /** @param changed told when requests begin or cease to be refused, or connections to be closed */
  constructor(overload: Overload, probes: LoadProbes, changed: (load: Load) => void) {
    this.#overload = overload
    this.#probes = probes
    this.#changed = changed
    this.#timer = setInterval(() => this.measure(), EVERY_MS).unref()
  }

  /** What the timer does. */
  measure(): void {
    const load = { lag: this.#probes.lag(), memory: this.#probes.memory() }
    this.#overload.observe(load)
    const { cause, closing } = this.#overload
    this.#sinceCollection++
    // Memory that nothing uses any more is short all the same until it is collected, and a process that refuses
    // requests makes little garbage: it would wait for long.
    if (closing && this.#sinceCollection >= COLLECT_EVERY) {
      this.#sinceCollection = 0
      this.#probes.collect()
    }
    if (cause === this.#cause && closing === this.#closing) return
    this.#cause = cause
    this.#closing = closing
    this.#changed(load)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#probes.close()
  }
}

/** The probes of this process. */
export function processProbes(cgroup: CgroupMemory): LoadProbes {
  let collect: (() => void) | null = null
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  return {
    lag: () => {
      // The monitor measures its own period too. A loop that stood still all the time has no sample yet.
      const lag = delay.count === 0 ? 0 : delay.percentile(99) / 1e6 - RESOLUTION_MS
      delay.reset()
      return Math.max(0, lag)
    },
    memory: () => {
      const heap = v8.getHeapStatistics()
      return Math.max(cgroup.share ?? 0, heap.used_heap_size / heap.heap_size_limit)
    },
    collect: () => {
      collect ??= collector()
      collect()
    },
    close: () => delay.disable(),
  }
}

/** V8's own collector, which it names only in contexts that are made after it was told to. */
function collector(): () => void {
  v8.setFlagsFromString('--expose-gc')
  return vm.runInNewContext('gc') as () => void // by V8's documentation of the flag
}
