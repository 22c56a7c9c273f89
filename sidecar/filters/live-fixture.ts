import type { Clock } from '../runtime/clock.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { type IdentityKey, Registry } from '../runtime/registry.ts'
import { FINE_TICK_MS, TimerWheel } from '../runtime/timer-wheel.ts'
import { seededRandom } from '../runtime/random.ts'
import type { Counter, FilterLive, FilterParts } from './filter.ts'

/** Live state for unit tests of filters: what it holds, what was warned of and counted can be looked at. */
export class LiveFixture implements FilterLive {
  readonly registry = new Registry()
  readonly warnings: string[] = []
  readonly counted = new Map<string, { value: number }>()
  readonly parts: FilterParts

  constructor(clock: Clock = { now: () => 0, wall: () => 0 }) {
    const budget = new MemoryBudget(1024 * 1024)
    this.parts = {
      wheel: new TimerWheel(clock),
      fine: new TimerWheel(clock, FINE_TICK_MS),
      clock,
      random: seededRandom(1),
      budget,
      buffers: new ReadBuffers(budget),
      warn: text => void this.warnings.push(text),
      counter: (name, _help, labels) => this.#cell(name, labels),
      gauge: (name, _help, labels) => this.#cell(name, labels),
      clientLabel: name => name,
    }
  }

  #cell(name: string, labels: Readonly<Record<string, string>>): Counter {
    const key = `${name}${JSON.stringify(labels)}`
    const cell = this.counted.get(key) ?? { value: 0 }
    this.counted.set(key, cell)
    return cell
  }

  use<T>(key: IdentityKey, open: (parts: FilterParts) => T, close: (value: T) => void): T {
    return this.registry.acquire(key, () => open(this.parts), close).value
  }
}
