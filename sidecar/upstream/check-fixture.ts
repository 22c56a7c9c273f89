import type { TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../runtime/clock.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { seededRandom } from '../runtime/random.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { TimerWheel } from '../runtime/timer-wheel.ts'
import { CheckSlots, type SlotWaiter } from './checks/check-slots.ts'
import { HealthCheck, type HealthCheckParts } from './health-check.ts'
import type { HealthCheckSpec, UpstreamSpec } from './upstream-spec.ts'

/** What the tests' stepped clock does for a bench. */
export interface CheckClock extends Clock {
  drive<T extends { advance(): void }>(wheel: T): T
  step(milliseconds: number): void
}

/** An HTTP check; what a test gives of another kind replaces its parts. */
export const HTTP: HealthCheckSpec = {
  kind: 'http',
  target: '/healthz',
  host: '',
  statuses: [],
  interval: 10_000,
  timeout: 1000,
  unhealthyAfter: 3,
  healthyAfter: 2,
}

/** Checks on a clock that a test steps, and what they share. */
export interface CheckBench {
  readonly clock: CheckClock
  readonly slots: CountedSlots
  check(port: number, spec?: Partial<HealthCheckSpec>, protocol?: UpstreamSpec['protocol']): HealthCheck
}

/** @param clock a stepped one, which drives the wheel */
export function checkBench(t: TestContext, clock: CheckClock, slots = 32): CheckBench {
  const budget = new MemoryBudget(1e6)
  const buffers = new ReadBuffers(budget)
  const wheel = clock.drive(new TimerWheel(clock))
  const counted = new CountedSlots(slots)
  const parts: HealthCheckParts = {
    wheel,
    buffers,
    budget,
    lingering: { active: 0, cut: 0 },
    random: seededRandom(1),
    slots: counted,
  }
  const made: HealthCheck[] = []
  t.after(async () => {
    for (const check of made) check.close()
    await until('nothing left', () => wheel.size === 0 && buffers.held === 0)
  })
  return {
    clock,
    slots: counted,
    check: (port, spec = {}, protocol = 'http1') => {
      const one = new HealthCheck(
        { at: { host: '127.0.0.1', port }, tls: null },
        { authority: 'app.example', protocol },
        { ...HTTP, ...spec },
        parts,
      )
      made.push(one)
      return one
    },
  }
}

/** Waits until something holds, over turns of the event loop. */
export async function until(what: string, check: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!check()) {
    if (performance.now() > deadline) throw new Error(`waited for ${what}`)
    await nextTurn()
  }
}

/** Steps to the next check, and waits until it has ended: time stands still meanwhile. */
export async function nextCheck({ clock, slots }: CheckBench, check: HealthCheck): Promise<void> {
  const before = check.checkedAt
  while (slots.running === 0) clock.step(100)
  await until('a check', () => check.checkedAt !== before)
}

/** Slots that say how many are taken. */
class CountedSlots extends CheckSlots {
  running = 0
  override enter(waiter: SlotWaiter): boolean {
    const taken = super.enter(waiter)
    if (taken) this.running++
    return taken
  }
  override leave(): void {
    this.running--
    super.leave()
  }
}
