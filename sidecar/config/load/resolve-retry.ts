import type { Role, RoutePolicies, TimeoutPolicy } from '../../snapshot/policies.ts'
import type { WrittenPolicies } from './policy-schema.ts'
import { BY_ROLE, grpcStatuses, httpStatuses } from './retry-status.ts'

/** Methods whose second execution does what the first did (RFC 9110 section 9.2.2), but for TRACE. */
const IDEMPOTENT = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']
const GATEWAY_ERRORS = [502, 503, 504]

/** How long things may take, defaults filled in. */
export function resolveTimeout(written: WrittenPolicies['timeout']): TimeoutPolicy {
  if (written === false)
    return { total: null, perTry: null, firstByte: null, idle: null, stream: null, header: null }
  return {
    total: written?.total === undefined ? 15_000 : written.total,
    perTry: written?.perTry ?? null,
    firstByte: written?.firstByte ?? null,
    idle: written?.idle === undefined ? 300_000 : written.idle,
    stream: written?.stream ?? null,
    header: written?.header ?? null,
  }
}

/**
 * When requests are tried again, defaults filled in. Of the role, an inbound listener repeats only what was never
 * processed, unless its routes say more: the caller, who knows what it asked for, has retries of its own.
 */
export function resolveRetry(written: WrittenPolicies['retry'], role: Role): RoutePolicies['retry'] {
  if (written === false) return null
  const { count = 1, backoff, budget, replay, hedge, headers = [] } = written ?? {}
  if (count === 0) return null
  const statuses = saidMore(written?.statuses)
  const methods = saidMore(written?.methods)
  const careful =
    role === 'inbound' && statuses === undefined && methods === undefined && headers.length === 0
  const byRole = role === 'inbound' ? [] : GATEWAY_ERRORS
  const grpc = grpcStatuses(statuses ?? [])
  return {
    count,
    statuses: careful ? [] : statuses === undefined ? GATEWAY_ERRORS : httpStatuses(statuses, byRole),
    ...(grpc.length === 0 ? {} : { grpcStatuses: grpc }),
    ...(headers.length === 0 ? {} : { headers: [...new Set(headers)] }),
    methods: careful && !hedge ? [] : methodsOf(methods, role),
    backoff: backoffOf(backoff),
    budget: { percent: budget?.percent ?? 20, min: budget?.min ?? 3 },
    replay: replay ?? 64 * 1024,
    hedge: hedge ? { after: hedge.after } : null,
  }
}

/** What a list says beside what the role has by default; undefined where that is all. */
function saidMore<T>(written: readonly T[] | undefined): readonly T[] | undefined {
  return written?.length !== 0 && written?.every(one => one === BY_ROLE) ? undefined : written
}

function methodsOf(written: readonly string[] | undefined, role: Role): string[] {
  if (written === undefined) return IDEMPOTENT
  const byRole = role === 'inbound' ? [] : IDEMPOTENT
  return [...new Set(written.flatMap(one => (one === BY_ROLE ? byRole : [one])))]
}

/** A bound that is given moves the one that is not: a first pause of 1s cannot end at the default of 250ms. */
function backoffOf(written: { from?: number | undefined; to?: number | undefined } | undefined): {
  from: number
  to: number
} {
  const from = written?.from ?? Math.min(25, written?.to ?? 25)
  return { from, to: written?.to ?? Math.max(250, from) }
}
