import type { Exchange } from '../exchange/exchange.ts'
import { limitsFor, quotaFor } from '../filters/rate-limit/limit-set.ts'
import type { LimitsConfig, LimitSpec, RateLimitPolicy } from '../filters/rate-limit/schema.ts'
import { keySourcesText } from './key-text.ts'

/** A limit in words, for people; with the number that holds for some callers. */
export function limitText(
  { name, per, rate, scope, store, cost, costBy, lease }: LimitSpec,
  quota: number,
): string {
  const parts = [rate.kind === 'concurrent' ? `${name} ${quota} at once` : `${name} ${quota} per ${per}`]
  if (rate.kind === 'bucket') parts.push(`burst ${rate.burst}`)
  if (costBy !== undefined) parts.push(`a request counts for ${costBy}, at most ${cost}`)
  else if (cost !== 1) parts.push(`a request counts for ${cost}`)
  const where = store === null ? '' : ` in ${store}${lease === undefined ? '' : `, ${lease} at a time`}`
  return `${parts.join(', ')} over ${scope}${where}`
}

/** The limits that hold for a request's caller, those of its plan and its entry too, in words; empty where none does. */
export function callerLimits(
  policy: RateLimitPolicy | null,
  config: LimitsConfig,
  { caller }: Exchange,
): string[] {
  if (policy === null) return []
  return limitsFor(policy, config, caller).map(spec => {
    const quota = quotaFor(spec, caller?.plan ?? null) ?? spec.quota
    return `${limitText(spec, quota)}, by ${keySourcesText(spec.by)}`
  })
}
