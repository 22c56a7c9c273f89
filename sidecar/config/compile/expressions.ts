import type { RoutePolicies } from '../../snapshot/policies.ts'
import type { ResolvedConfig } from '../resolved.ts'

/** Whether a configuration has an expression: what evaluates them is loaded where one does. */
export function usesExpressions({ listeners }: Pick<ResolvedConfig, 'listeners'>): boolean {
  return listeners.some(({ routes }) => routes.some(({ policies }) => has(policies)))
}

function has({ authorize }: RoutePolicies): boolean {
  return authorize !== null && [authorize.enforced, authorize.reported].some(one => one?.when != null)
}
