import type { LimitSpec, RateLimitPolicy } from '../../filters/rate-limit/schema.ts'
import type { WrittenRateLimit } from './limit-schema.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { resolveLimits } from './resolve-limits.ts'

/** What a level says of limits, and where. */
interface LimitLevel {
  readonly policies: { readonly rateLimit?: WrittenRateLimit | undefined }
  readonly path: ConfigPath
  readonly label: string
  readonly name?: string
}

/** Limits by the level that says them. */
interface Said {
  outer: readonly LimitSpec[]
  own: readonly LimitSpec[]
}

/**
 * The limits of a route, by name over its levels; null where there are none, nor can a caller bring any. `dryRun` is about
 * the limits that stand beside it, so that trying one out below takes away none above; alone it is about everything that
 * is inherited, and about what callers bring.
 */
export function resolveRateLimit(
  levels: readonly LimitLevel[],
  resolution: Resolution,
): RateLimitPolicy | null {
  const config = resolution.limits
  const names = { stores: Object.keys(config.stores), plans: Object.keys(config.plans) }
  let enforced: Said = { outer: [], own: [] }
  let tried: Said = { outer: [], own: [] }
  let headers: RateLimitPolicy['headers'] = 'ietf'
  let callersTried = false
  let off = false
  for (const level of levels) {
    const written = level.policies.rateLimit
    if (written === undefined) continue
    off = written === false
    if (written === false) {
      enforced = { outer: [], own: [] }
      tried = { outer: [], own: [] }
      headers = 'ietf'
      callersTried = false
      continue
    }
    headers = written.headers ?? headers
    const { dryRun } = written
    const scope = level.name === undefined ? level.label : `${level.label}.${level.name}`
    const limits = resolveLimits(written.limits ?? [], scope, [...level.path, 'rateLimit'], names, resolution)
    if (limits.length === 0) {
      if (dryRun === undefined) continue
      callersTried = dryRun
      if (dryRun) [enforced.outer, tried.outer] = [[], laid(enforced.outer, tried.outer)]
      else [enforced.outer, tried.outer] = [laid(enforced.outer, tried.outer), []]
      continue
    }
    const into = dryRun === true ? tried : enforced
    if (level.label === 'route') into.own = limits
    else into.outer = laid(into.outer, limits)
    if (dryRun !== true) tried.outer = without(tried.outer, limits)
  }
  const route = levels.at(-1)
  if (off && route?.label === 'route' && route.policies.rateLimit === false) return null
  const callers = [...Object.values(config.plans), ...Object.values(config.consumers)]
  const brought = callers.some(one => one.limits.length > 0)
  const policy = (said: Said, dryRun: boolean): RateLimitPolicy | null => {
    const withCallers = dryRun === callersTried
    if (said.outer.length + said.own.length === 0 && !(withCallers && brought)) return null
    const more = withCallers ? {} : ({ withoutCallers: true } as const)
    return { ...said, headers, dryRun, ...more, digest: config.digest }
  }
  const [holds, reports] = [policy(enforced, false), policy(tried, true)]
  return holds === null || reports === null ? (holds ?? reports) : { ...holds, tried: reports }
}

/** Of two with one name the inner one. */
function laid(outer: readonly LimitSpec[], inner: readonly LimitSpec[]): LimitSpec[] {
  return [...without(outer, inner), ...inner]
}

function without(limits: readonly LimitSpec[], named: readonly LimitSpec[]): LimitSpec[] {
  return limits.filter(limit => !named.some(other => other.name === limit.name))
}
