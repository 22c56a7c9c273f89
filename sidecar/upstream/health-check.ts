import type { SessionPoolParts } from '../http2/session-pool.ts'
import type { Destination } from '../runtime/destination.ts'
import type { Random } from '../runtime/random.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { Check, CheckOwner } from './checks/check.ts'
import type { CheckSlots, SlotWaiter } from './checks/check-slots.ts'
import { GrpcCheck } from './checks/grpc-check.ts'
import { Http2Check } from './checks/http2-check.ts'
import { HttpCheck } from './checks/http-check.ts'
import { TcpCheck } from './checks/tcp-check.ts'
import type { HealthCheckSpec, UpstreamSpec } from './upstream-spec.ts'

/** By how much an interval is longer or shorter, so that the checks of many do not fall together. */
const JITTER = 0.1

/** What the checks of a process share. */
export interface HealthCheckParts extends SessionPoolParts {
  readonly random: Random
  readonly slots: CheckSlots
}

/**
 * Asks an endpoint again and again whether it is well. It counts as well until the first check says otherwise: a
 * proxy that starts, or finds a new endpoint, has traffic for it before the answer is there, and the first check is
 * sent at once. That check decides alone; from then on it takes as many in a row as are configured.
 *
 * Checks of one endpoint never overlap, and of all endpoints only so many run at once. Live state: it outlives the
 * generations that use it.
 */
export class HealthCheck implements TimerOwner, CheckOwner, SlotWaiter {
  readonly #parts: HealthCheckParts
  readonly #target: Destination
  readonly #protocol: UpstreamSpec['protocol']
  readonly #host: string
  readonly #timer = new Timer(this)
  readonly #watchers = new Set<() => void>()
  #spec: HealthCheckSpec
  #phase: 'pausing' | 'queueing' | 'checking' | 'closed' = 'pausing'
  #check: Check | null = null
  #begun = 0
  #healthy = true
  #since: number
  #fault = ''
  #checkedAt: number | null = null
  /** Results in a row that contradict `healthy`. */
  #against = 0

  /** @param upstream whose authority is the Host of an HTTP check that names none, and whose protocol it speaks */
  constructor(
    target: Destination,
    upstream: Pick<UpstreamSpec, 'authority' | 'protocol'>,
    spec: HealthCheckSpec,
    parts: HealthCheckParts,
  ) {
    const { authority, protocol } = upstream
    this.#target = target
    this.#protocol = protocol
    this.#host = spec.host === '' ? authority : spec.host
    this.#spec = spec
    this.#parts = parts
    this.#since = parts.wheel.now()
    parts.wheel.schedule(this.#timer, 0)
  }

  /** Whether requests may be sent to it. */
  get healthy(): boolean {
    return this.#healthy
  }

  /** Since when that is so, on the wheel's clock. */
  get since(): number {
    return this.#since
  }

  /** Why the last check failed (`status 500`, `ECONNREFUSED`, `timeout after 1s`); empty where it did not. */
  get fault(): string {
    return this.#fault
  }

  /** When the last check ended, on the wheel's clock; null while none has. */
  get checkedAt(): number | null {
    return this.#checkedAt
  }

  /** Calls back when `healthy` has changed, and after the first check. */
  watch(watcher: () => void): void {
    this.#watchers.add(watcher)
  }

  unwatch(watcher: () => void): void {
    this.#watchers.delete(watcher)
  }

  /** Interval, timeout and thresholds of the newest generation. What is asked is part of its identity, and stays. */
  configure(spec: HealthCheckSpec): void {
    this.#spec = spec
    if (this.#phase !== 'pausing' || this.#checkedAt === null) return
    const now = this.#parts.wheel.now()
    // A shorter interval is not waited for until a longer one is over.
    if (this.#timer.deadline > now + this.#interval()) this.#pause(now)
  }

  /** Ends what is under way, with its socket. */
  close(): void {
    this.#parts.wheel.remove(this.#timer)
    this.#watchers.clear()
    if (this.#phase === 'queueing') this.#parts.slots.withdraw(this)
    if (this.#phase === 'checking') this.#parts.slots.leave()
    this.#phase = 'closed'
    this.#check?.abort()
    this.#check = null
  }

  onTimer(): void {
    if (this.#phase === 'pausing') {
      this.#phase = 'queueing'
      if (this.#parts.slots.enter(this)) this.onSlot()
    } else if (this.#phase === 'checking') {
      this.#check?.abort()
      this.onResult(`timeout after ${duration(this.#spec.timeout)}`)
    }
  }

  onSlot(): void {
    this.#phase = 'checking'
    this.#begun = this.#parts.wheel.now()
    this.#parts.wheel.schedule(this.#timer, this.#spec.timeout)
    this.#check = this.#ask()
  }

  onResult(fault: string): void {
    if (this.#phase !== 'checking') return
    this.#check = null
    this.#phase = 'pausing'
    this.#pause(this.#begun)
    this.#judge(fault)
    // Last: it may begin another's check.
    this.#parts.slots.leave()
  }

  #ask(): Check {
    const parts = { target: this.#target, host: this.#host, buffers: this.#parts.buffers }
    const { kind, target, statuses } = this.#spec
    if (kind === 'tcp') return new TcpCheck(parts, this)
    if (kind === 'grpc') return new GrpcCheck(parts, target, this, this.#parts)
    return this.#protocol === 'http2'
      ? new Http2Check(parts, target, statuses, this, this.#parts)
      : new HttpCheck(parts, target, statuses, this)
  }

  #judge(fault: string): void {
    const first = this.#checkedAt === null
    this.#checkedAt = this.#parts.wheel.now()
    this.#fault = fault
    const well = fault === ''
    if (well === this.#healthy) this.#against = 0
    else this.#against++
    const enough = well ? this.#spec.healthyAfter : this.#spec.unhealthyAfter
    const turned = this.#against > 0 && (first || this.#against >= enough)
    if (turned) {
      this.#healthy = well
      this.#since = this.#checkedAt
      this.#against = 0
    }
    if (turned || first) for (const watcher of [...this.#watchers]) watcher()
  }

  /** From one check's begin to the next one's, but never before this one has ended. */
  #pause(begun: number): void {
    const now = this.#parts.wheel.now()
    this.#parts.wheel.scheduleAt(this.#timer, Math.max(now, begun + this.#interval()))
  }

  #interval(): number {
    return this.#spec.interval * (1 - JITTER + 2 * JITTER * this.#parts.random())
  }
}

function duration(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}
