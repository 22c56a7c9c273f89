import { corsFilter } from '../../filters/cors/filter.ts'
import type { Filter } from '../../filters/filter.ts'
import { hstsFilter } from '../../filters/hsts/filter.ts'
import { headersFilter } from '../../filters/headers/filter.ts'
import type { RoutePolicies } from '../../snapshot/policies.ts'

/**
 * The filters of a route in the one documented order: CORS, authentication, authorization, limits, validation,
 * transformation, cache, custom. A new filter is one line here and one in the schema.
 */
export function compileFilters(
  policies: RoutePolicies,
  route: { readonly name: string },
): Filter[] {
  const filters: Filter[] = []
  if (policies.cors !== null) filters.push(corsFilter.create(policies.cors, route))
  if (policies.headers !== null) filters.push(headersFilter.create(policies.headers, route))
  if (policies.hsts !== null) filters.push(hstsFilter(policies.hsts))
  return filters
}
