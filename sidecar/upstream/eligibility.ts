import type { Endpoint } from './endpoint.ts'
import type { Condition } from './member.ts'
import type { Candidate } from './picker.ts'
import type { LoadBalanceSpec } from './upstream-spec.ts'

/** What is asked of a member. */
export interface EligibleMember {
  readonly endpoint: Endpoint
  readonly condition: Condition
  readonly spec: { readonly weight: number; readonly zone: string; readonly priority: number }
  warmth(now: number): number
}

/** Endpoints that take a share of the requests together. */
export interface Group {
  /** 0 to 1; 0: only who is bound to one of them gets there. */
  readonly share: number
  readonly candidates: readonly Candidate[]
}

/** Who may take requests. */
export interface Eligibility {
  /** Shares come to 1, unless there is no candidate at all. */
  readonly groups: readonly Group[]
  /** Too few are healthy to believe it: health is ignored. */
  readonly panic: boolean
  /** Nobody is healthy: those that their traffic speaks against are used all the same. */
  readonly lastResort: boolean
}

/** A priority is taken as whole while this many times its healthy share is 1 or more. */
const OVERPROVISIONING = 1.4
/** With fewer, one of two that fails would be half of all. */
const FEWEST_FOR_PANIC = 4

interface Level {
  readonly members: readonly EligibleMember[]
  readonly healthy: readonly EligibleMember[]
  /** Which part of all requests it could take: its healthy share times the overprovisioning, at most 1. */
  readonly capacity: number
}

/**
 * Who may take requests, and which share.
 *
 * 1. Healthy is whose check passes, who is not ejected or on probation, and whose own breaker is closed.
 * 2. Priorities: the lowest number takes what it can, which is all of it while 5 in 7 of its endpoints are healthy, and
 *    in proportion below; the rest goes to the next. Where all together cannot take everything, they share it in proportion.
 * 3. Zone: within a priority the own zone takes all while its healthy share is as good as the whole's, else in proportion.
 * 4. Panic: below `panicPercent` healthy, of four or more, health and zones are ignored; open breakers are not. While
 *    another priority can take over, there is no panic.
 * 5. Where nobody is healthy, those are used that are only ejected or on probation: ejection alone leaves no upstream without
 *    an endpoint. Failing checks and open breakers do.
 *
 * An endpoint of weight 0 counts nowhere, and is a candidate for those that affinity binds to it.
 */
export function eligibility(
  members: readonly EligibleMember[],
  spec: Pick<LoadBalanceSpec, 'zone' | 'panicPercent'>,
  now: number,
): Eligibility {
  const levels = levelsOf(members)
  const total = levels.reduce((sum, level) => sum + level.capacity, 0)
  const panic = panics(members, spec.panicPercent) && (levels.length === 1 || total < 1)
  const groups: Group[] = []
  let left = 1
  for (const level of levels) {
    const taken = total >= 1 ? Math.min(left, level.capacity) : level.capacity / (total === 0 ? 1 : total)
    left -= taken
    if (panic) groups.push(group(taken, level.members.filter(closed), now))
    else groups.push(...zones(level, taken, spec.zone, now))
  }
  if (total > 0) return { groups, panic, lastResort: false }
  return desperate(levels, panic, now) ?? { groups, panic, lastResort: false }
}

/** Nobody is healthy: in panic everyone of the first priority that has someone, else who is only ejected. */
function desperate(levels: readonly Level[], panic: boolean, now: number): Eligibility | null {
  for (const { members } of levels) {
    const rest = members.filter(panic ? closed : ejected)
    if (rest.some(counts)) return { groups: [group(1, rest, now)], panic, lastResort: !panic }
  }
  return null
}

function levelsOf(members: readonly EligibleMember[]): Level[] {
  const byPriority = new Map<number, EligibleMember[]>()
  for (const member of members) {
    const { priority } = member.spec
    const level = byPriority.get(priority)
    if (level === undefined) byPriority.set(priority, [member])
    else level.push(member)
  }
  return [...byPriority.entries()]
    .toSorted(([a], [b]) => a - b)
    .map(([, all]) => {
      const healthy = all.filter(isHealthy)
      const share = healthy.filter(counts).length / Math.max(1, all.filter(counts).length)
      return { members: all, healthy, capacity: Math.min(1, share * OVERPROVISIONING) }
    })
}

function panics(members: readonly EligibleMember[], panicPercent: number): boolean {
  const counted = members.filter(counts)
  if (counted.length < FEWEST_FOR_PANIC) return false
  // A breaker is no opinion about health: what it keeps away is kept away in panic too.
  const well = counted.filter(member => isHealthy(member) || !closed(member)).length
  return well * 100 < panicPercent * counted.length
}

function zones({ members, healthy }: Level, share: number, zone: string, now: number): Group[] {
  if (zone === '') return [group(share, healthy, now)]
  const near = (member: EligibleMember): boolean => member.spec.zone === zone
  const nearby = healthy.filter(near)
  const far = healthy.filter(member => !near(member))
  if (!nearby.some(counts)) return [group(share, healthy, now)]
  const whole = healthy.filter(counts).length / members.filter(counts).length
  const own = nearby.filter(counts).length / members.filter(member => near(member) && counts(member)).length
  const kept = far.some(counts) ? Math.min(1, own / whole) : 1
  return [group(share * kept, nearby, now), group(share * (1 - kept), far, now)]
}

function group(share: number, members: readonly EligibleMember[], now: number): Group {
  return {
    share,
    candidates: members.map(member => ({
      endpoint: member.endpoint,
      weight: member.spec.weight * member.warmth(now),
    })),
  }
}

const isHealthy = (member: EligibleMember): boolean => member.condition === 'healthy'
const counts = (member: EligibleMember): boolean => member.spec.weight > 0
const closed = ({ condition }: EligibleMember): boolean => condition !== 'open' && condition !== 'half-open'
const ejected = ({ condition }: EligibleMember): boolean => condition === 'ejected' || condition === 'probing'
