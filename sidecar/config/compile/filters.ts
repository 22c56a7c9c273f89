import type { Identity } from '../../filters/authenticate/identity.ts'
import { authenticateFilter } from '../../filters/authenticate/filter.ts'
import { ownCookiesFilter } from '../../filters/authenticate/oidc/own-cookies.ts'
import { authorizeFilter } from '../../filters/authorize/filter.ts'
import { corsFilter } from '../../filters/cors/filter.ts'
import { externalFilter } from '../../filters/external/filter.ts'
import type { AskedUpstream, Filter, FilterLive } from '../../filters/filter.ts'
import { grpcWebFilter } from '../../filters/grpc-web/filter.ts'
import { headersFilter } from '../../filters/headers/filter.ts'
import { hstsFilter } from '../../filters/hsts/filter.ts'
import { rateLimitFilter } from '../../filters/rate-limit/filter.ts'
import type { LimitsConfig } from '../../filters/rate-limit/schema.ts'
import type { RoutePolicies } from '../../snapshot/policies.ts'

/** What filters are made with beside their policies. */
export interface FilterSurroundings {
  readonly live: FilterLive
  readonly identity: Identity
  readonly limits: LimitsConfig
  /** An upstream that a filter asks. @throws Error where it is not there, which the loader has checked */
  readonly asked: (upstream: string) => AskedUpstream
}

/**
 * The filters of a route in the one documented order: CORS, limits that say so, authentication, authorization, the other limits, validation,
 * transformation, cache, custom. A new filter is one line here and one in the schema.
 */
export function compileFilters(
  policies: RoutePolicies,
  route: { readonly name: string },
  { live, identity, limits, asked }: FilterSurroundings,
): Filter[] {
  const filters: Filter[] = []
  const { cors, authenticate, rateLimit, authorize, external, headers, hsts } = policies
  // The first up is the last down: what browsers may read of a call is added to what CORS says.
  if (policies.grpcWeb === true) filters.push(grpcWebFilter.create(true, route, live))
  if (cors !== null) filters.push(corsFilter.create(cors, route, live))
  const limited = [rateLimit, rateLimit?.tried].filter(policy => policy != null)
  for (const policy of limited)
    if ([...policy.outer, ...policy.own].some(limit => limit.early === true))
      filters.push(rateLimitFilter.create({ policy, limits, early: true }, route, live))
  if (authenticate !== null)
    filters.push(authenticateFilter.create({ policy: authenticate, identity }, route, live))
  if (policies.ownCookies === true) filters.push(ownCookiesFilter)
  if (authorize !== null) filters.push(authorizeFilter.create(authorize, route, live))
  // The one that decides has the last word on what it says about the caller.
  for (const policy of [policies.triedExternal, external])
    if (policy !== undefined)
      filters.push(externalFilter.create({ policy, upstream: asked(policy.upstream) }, route, live))
  for (const policy of limited) filters.push(rateLimitFilter.create({ policy, limits }, route, live))
  if (headers !== null) filters.push(headersFilter.create(headers, route, live))
  if (hsts !== null) filters.push(hstsFilter(hsts))
  return filters
}
