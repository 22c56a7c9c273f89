import { type HeaderList, setHeader } from '../../exchange/headers.ts'
import { calendarWindow } from './calendar-window.ts'
import type { Standing } from './limit-set.ts'
import type { LimitHeaders, LimitSpec } from './schema.ts'

/** The one of which least is left; of those, the one that comes back last. Null where nothing is known. */
export function tightest(standings: readonly Standing[]): Standing | null {
  let found: Standing | null = null
  for (const standing of standings) {
    if (!standing.known) continue
    if (found === null || isTighter(standing, found)) found = standing
  }
  return found
}

function isTighter(one: Standing, than: Standing): boolean {
  // What refused comes before what is only used up, and what is counted before what is only under way.
  if (one.wait !== than.wait) return one.wait > than.wait
  const [places, others] = [isConcurrent(one), isConcurrent(than)]
  if (places !== others) return others
  if (one.remaining !== than.remaining) return one.remaining < than.remaining
  return one.reset > than.reset
}

function isConcurrent({ limit }: Standing): boolean {
  return limit.spec.rate.kind === 'concurrent'
}

/** Whole seconds, up: a client that comes then is not too early. */
export function seconds(milliseconds: number): number {
  return Math.max(0, Math.ceil(milliseconds / 1000))
}

/**
 * Tells a client how far it is.
 * @param wall milliseconds since 1970
 */
export function writeLimitFields(
  headers: HeaderList,
  kind: Exclude<LimitHeaders, 'off'>,
  standings: readonly Standing[],
  wall: number,
): void {
  const worst = tightest(standings)
  if (worst === null) return
  if (kind === 'ietf') {
    setHeader(headers, 'ratelimit-policy', policyText(standings, wall))
    setHeader(headers, 'ratelimit', standingItem(worst))
    return
  }
  setHeader(headers, 'ratelimit-limit', String(worst.limit.quota))
  setHeader(headers, 'ratelimit-remaining', String(worst.remaining))
  setHeader(headers, 'ratelimit-reset', String(seconds(Math.max(worst.reset, worst.wait))))
  for (const [unit, standing] of tightestByUnit(standings)) {
    setHeader(headers, `x-ratelimit-limit-${unit}`, String(standing.limit.quota))
    setHeader(headers, `x-ratelimit-remaining-${unit}`, String(standing.remaining))
  }
}

function policyText(standings: readonly Standing[], wall: number): string {
  let text = ''
  for (const { limit } of standings) {
    const item = limit.item ?? policyItem(limit.spec, limit.quota, wall)
    text = text === '' ? item : `${text}, ${item}`
  }
  return text
}

/** An item of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers section 3). */
export function policyItem({ rate, name }: LimitSpec, quota: number, wall: number): string {
  switch (rate.kind) {
    case 'concurrent':
      return `"${name}";q=${quota};qu="concurrent-requests"`
    case 'calendar': {
      const { start, end } = calendarWindow(rate.unit, wall)
      return `"${name}";q=${quota};w=${(end - start) / 1000}`
    }
    default:
      // The draft has whole seconds only.
      return `"${name}";q=${quota};w=${seconds(rate.window)}`
  }
}

/** The item of `RateLimit` (section 4): what is left, and for how long that is all. */
function standingItem({ limit, remaining, reset, wait }: Standing): string {
  const item = `"${limit.spec.name}";r=${remaining}`
  return limit.spec.rate.kind === 'concurrent' ? item : `${item};t=${seconds(Math.max(reset, wait))}`
}

/** Kong's fields have one name a unit. */
const KONG_UNITS: ReadonlySet<string> = new Set(['second', 'minute', 'hour', 'day', 'week', 'month', 'year'])

function tightestByUnit(standings: readonly Standing[]): Map<string, Standing> {
  const found = new Map<string, Standing>()
  for (const standing of standings) {
    const unit = standing.limit.spec.per
    if (!standing.known || !KONG_UNITS.has(unit)) continue
    const before = found.get(unit)
    if (before === undefined || isTighter(standing, before)) found.set(unit, standing)
  }
  return found
}
