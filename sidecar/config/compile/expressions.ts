import { isComputed } from '../../exchange/template.ts'
import type { KeySource } from '../../exchange/request-key.ts'
import type { LimitSpec } from '../../filters/rate-limit/schema.ts'
import type { RoutePolicies } from '../../snapshot/policies.ts'
import type { ResolvedConfig, ResolvedRoute } from '../resolved.ts'

type Parts = Pick<ResolvedConfig, 'listeners' | 'limits' | 'upstreams'>

/** Whether a configuration has an expression: what evaluates them is loaded where one does. */
export function usesExpressions({ listeners, limits, upstreams }: Parts): boolean {
  return (
    listeners.some(({ routes }) => routes.some(inRoute)) ||
    Object.values(upstreams).some(({ loadBalance }) => inKey(loadBalance.by)) ||
    [limits.plans, limits.consumers].some(named => Object.values(named).some(one => inLimits(one.limits)))
  )
}

function inRoute({ action, policies }: ResolvedRoute): boolean {
  if (action.kind === 'split' && inKey(action.by)) return true
  if (action.kind === 'redirect' && isComputed(action.to)) return true
  return inPolicies(policies) || inTemplates(policies)
}

function inPolicies({ authorize, rateLimit }: RoutePolicies): boolean {
  return (
    [authorize?.enforced, authorize?.reported].some(one => one?.when != null) ||
    [rateLimit, rateLimit?.tried].some(one => one != null && (inLimits(one.outer) || inLimits(one.own)))
  )
}

function inTemplates({ headers, rewrite }: RoutePolicies): boolean {
  if (rewrite !== null && rewrite.path !== null && isComputed(rewrite.path)) return true
  if (headers === null) return false
  return [headers.request, headers.response].some(side =>
    [...side.set, ...side.add].some(([, value]) => isComputed(value)),
  )
}

function inLimits(limits: readonly LimitSpec[]): boolean {
  return limits.some(({ by, costBy }) => costBy !== undefined || inKey(by))
}

function inKey(sources: readonly KeySource[]): boolean {
  return sources.some(({ kind }) => kind === 'cel')
}
