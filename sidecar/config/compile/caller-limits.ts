import type { Caller } from '../../exchange/caller.ts'
import { limitsFor, quotaFor } from '../../filters/rate-limit/limit-set.ts'
import type { LimitsConfig, LimitSpec, RateLimitPolicy } from '../../filters/rate-limit/schema.ts'

/** A limit with the number that holds for a caller. */
export interface HoldingLimit {
  readonly spec: LimitSpec
  readonly quota: number
}

/** The limits of a route that hold for a caller, as a request meets them. */
export function holdingLimits(
  policy: RateLimitPolicy | null,
  config: LimitsConfig,
  caller: Caller | null,
): HoldingLimit[] {
  if (policy === null) return []
  return limitsFor(policy, config, caller).map(spec => ({
    spec,
    quota: quotaFor(spec, caller?.plan ?? null) ?? spec.quota,
  }))
}
