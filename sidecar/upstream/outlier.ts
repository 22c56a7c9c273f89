import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import { isGatewayError, type Outcome } from './outcome.ts'
import type { EjectionCause, OutlierHost, OutlierRecord } from './outlier-record.ts'
import { slowest, unreliable } from './outlier-statistics.ts'
import type { OutlierSpec } from './upstream-spec.ts'

/** Who uses the detector: an upstream of one generation. The newest says what there is and how it is judged. */
export interface OutlierMember {
  readonly outlierSpec: OutlierSpec
  readonly outlierHosts: readonly OutlierHost[]
  /** An endpoint went or may come back. */
  onOutlierChange(): void
}

/** Who is told. */
export interface OutlierEvents {
  ejected(label: string, cause: EjectionCause, detail: string, milliseconds: number): void
  returned(label: string): void
}

/**
 * Puts endpoints aside that their traffic shows to be bad: gateway errors in a row, a success rate far below the
 * others', a latency far above. An ejection lasts `ejection` times the ejections in a row, and at most `maxEjection`.
 * Then the endpoint comes back on probation: one request at a time goes to it, the first that succeeds returns it, and
 * one that fails ejects it again, for longer.
 *
 * At most `maxEjectedPercent` of the endpoints are out (probation included), but one may always go, and never the last
 * that could take requests. Live state of one upstream, shared by its generations.
 */
export class OutlierDetector implements TimerOwner {
  readonly #wheel: TimerWheel
  readonly #events: OutlierEvents
  readonly #timer = new Timer(this)
  readonly #members: OutlierMember[] = []
  #compareAt = Infinity

  constructor(wheel: TimerWheel, events: OutlierEvents) {
    this.#wheel = wheel
    this.#events = events
  }

  join(member: OutlierMember): void {
    this.#members.push(member)
    this.changed()
  }

  leave(member: OutlierMember): void {
    this.#members.splice(this.#members.indexOf(member), 1)
    this.changed()
  }

  /** The newest member's endpoints or thresholds are others. */
  changed(): void {
    const member = this.#members.at(-1)
    if (member === undefined) {
      this.#wheel.remove(this.#timer)
      return
    }
    const hosts = member.outlierHosts
    // What is left may be only what was put aside. Then there is nothing to be spared from.
    if (hosts.length > 0 && hosts.every(host => host.outlier.state !== 'in'))
      for (const host of hosts) this.#return(host)
    const { successRate, latency, interval } = member.outlierSpec
    if (successRate === null && latency === null) {
      this.#compareAt = Infinity
    } else if (this.#compareAt === Infinity) {
      for (const host of hosts) host.outlier.clearInterval()
      this.#compareAt = this.#wheel.now() + interval
    }
    this.#schedule()
  }

  /** Whether a request may be tried on an endpoint on probation. */
  mayProbe(record: OutlierRecord): boolean {
    if (record.probe === null) return true
    // One that is not answered for so long gives its place to the next.
    const spec = this.#members.at(-1)?.outlierSpec
    return spec !== undefined && this.#wheel.now() - record.probe >= spec.ejection
  }

  /** An attempt begins. @returns whether it is the probe that decides */
  begin(record: OutlierRecord): boolean {
    if (record.state !== 'probing' || !this.mayProbe(record)) return false
    record.probe = this.#wheel.now()
    return true
  }

  /** @param probe what `begin` answered */
  settled(record: OutlierRecord, outcome: Outcome, probe: boolean): void {
    const failed = isGatewayError(outcome.status)
    if (record.state !== 'in') {
      // What was sent before the ejection, or in panic, decides nothing.
      if (probe && record.state === 'probing') this.#probed(record, failed, outcome)
    } else if (failed) {
      record.failures++
      record.consecutive++
      const limit = this.#members.at(-1)?.outlierSpec.consecutiveErrors ?? null
      // One that may not go is looked at again after as many errors.
      if (limit !== null && record.consecutive % limit === 0)
        this.#eject(
          record,
          'consecutive_errors',
          `${record.consecutive} consecutive errors, last: ${last(outcome)}`,
        )
    } else {
      record.consecutive = 0
      record.successes++
      record.milliseconds += outcome.milliseconds
    }
  }

  /** An attempt was cut. A probe's place goes to the next request. */
  abandoned(record: OutlierRecord, probe: boolean): void {
    if (probe) record.probe = null
  }

  onTimer(): void {
    const member = this.#members.at(-1)
    if (member === undefined) return
    const now = this.#wheel.now()
    let changed = false
    for (const { outlier } of member.outlierHosts) {
      if (outlier.state !== 'ejected' || outlier.until > now) continue
      outlier.state = 'probing'
      outlier.since = now
      outlier.probe = null
      changed = true
    }
    if (changed) this.#notify()
    if (this.#compareAt <= now) {
      this.#compare(member)
      this.#compareAt = now + member.outlierSpec.interval
    }
    this.#schedule()
  }

  #probed(record: OutlierRecord, failed: boolean, outcome: Outcome): void {
    record.probe = null
    const member = this.#members.at(-1)
    const host = member?.outlierHosts.find(one => one.outlier === record)
    if (member === undefined || host === undefined) return
    if (failed) this.#putAside(member, host, 'probe', `a failed probe: ${last(outcome)}`)
    else this.#return(host)
    this.#schedule()
  }

  #compare({ outlierSpec: spec, outlierHosts: hosts }: OutlierMember): void {
    const judged = hosts.filter(host => host.outlier.state === 'in')
    if (spec.successRate !== null)
      for (const { record, detail } of unreliable(judged, spec.successRate))
        this.#eject(record, 'success_rate', detail)
    if (spec.latency !== null)
      for (const { record, detail } of slowest(judged, spec.latency)) this.#eject(record, 'latency', detail)
    for (const host of hosts) host.outlier.clearInterval()
  }

  #eject(record: OutlierRecord, cause: EjectionCause, detail: string): void {
    const member = this.#members.at(-1)
    if (member === undefined || record.state !== 'in') return
    const { outlierHosts: hosts, outlierSpec: spec } = member
    let found: OutlierHost | null = null
    let out = 0
    let others = 0
    for (const host of hosts) {
      if (host.outlier === record) found = host
      else if (host.outlier.state !== 'in') out++
      else if (host.usable) others++
    }
    // Unknown: only an older generation still has it.
    if (found === null || others === 0) return
    if (out > 0 && (out + 1) * 100 > spec.maxEjectedPercent * hosts.length) return
    this.#putAside(member, found, cause, detail)
    this.#schedule()
  }

  #putAside(member: OutlierMember, host: OutlierHost, cause: EjectionCause, detail: string): void {
    const { ejection, maxEjection } = member.outlierSpec
    const record = host.outlier
    const now = this.#wheel.now()
    const calm = record.state === 'in' ? Math.floor((now - record.since) / ejection) : 0
    // Not counted beyond what lengthens it, so that a long bad time is not remembered for as long again.
    const longest = Math.max(1, Math.ceil(maxEjection / ejection))
    record.times = Math.min(longest, Math.max(0, record.times - calm) + 1)
    const milliseconds = Math.min(maxEjection, ejection * record.times)
    record.state = 'ejected'
    record.since = now
    record.until = now + milliseconds
    record.cause = cause
    record.detail = detail
    record.probe = null
    this.#events.ejected(host.label, cause, detail, milliseconds)
    this.#notify()
  }

  #return(host: OutlierHost): void {
    const record = host.outlier
    record.state = 'in'
    record.since = this.#wheel.now()
    record.consecutive = 0
    record.probe = null
    record.clearInterval()
    this.#events.returned(host.label)
    this.#notify()
  }

  #notify(): void {
    for (const member of this.#members) member.onOutlierChange()
  }

  #schedule(): void {
    let next = this.#compareAt
    for (const { outlier } of this.#members.at(-1)?.outlierHosts ?? [])
      if (outlier.state === 'ejected') next = Math.min(next, outlier.until)
    this.#wheel.scheduleAt(this.#timer, next)
  }
}

function last(outcome: Outcome): string {
  if (outcome.error === null) return `status ${outcome.status}`
  const { reason, cause } = outcome.error
  return cause === '' ? reason : `${reason} (${cause})`
}
