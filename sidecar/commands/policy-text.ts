import { GRPC_NAMES } from '../exchange/grpc-status.ts'
import type {
  FallbackPolicy,
  FaultPolicy,
  RetryPolicy,
  RoutePolicies,
  TimeoutPolicy,
  UpgradePolicy,
} from '../snapshot/policies.ts'
import { isSecretField, REDACTED } from '../telemetry/redaction.ts'
import { limitText } from './limit-text.ts'
import { bytesText, durationText } from './quantity-text.ts'

type Texts = { readonly [P in keyof RoutePolicies]?: (policy: NonNullable<RoutePolicies[P]>) => string }

const TEXTS: Texts = {
  timeout: timeoutText,
  retry: retryText,
  requestSize: bytesText,
  authorize: authorizeText,
  external: ({ name, upstream, dryRun }) =>
    `${name} (${upstream}) is asked${dryRun ? ', and only reported' : ''}`,
  rateLimit: rateLimitText,
  upgrade: upgradeText,
  authenticate: authenticateText,
  mirror: ({ upstream, percent }) => `${percent}% to ${upstream}`,
  fault: faultText,
  affinity: ({ cookie, maxAge }) =>
    `cookie ${cookie}, ${maxAge === null ? "for the browser's session" : `for ${durationText(maxAge * 1000)}`}`,
  fallback: fallbackText,
  grpcWeb: () => 'on',
}

/** A policy in words, for people; null where it is off or has no words of its own. */
export function policyText(policies: RoutePolicies, name: string): string | null {
  if (!Object.hasOwn(TEXTS, name)) return null
  // The table holds for each name a function of that policy, which the type of a lookup by text cannot say.
  const text = TEXTS[name as keyof Texts] as ((policy: unknown) => string) | undefined
  const policy = policies[name as keyof RoutePolicies]
  return text === undefined || policy === null ? null : text(policy)
}

/** Those of the route's levels; a caller's plan and entry may bring others. */
function rateLimitText({ outer, own, dryRun, tried }: NonNullable<RoutePolicies['rateLimit']>): string {
  const named = new Map([...outer, ...own].map(limit => [limit.name, limit]))
  const parts = [...named.values()].map(limit => limitText(limit, limit.quota))
  const text =
    (parts.length === 0 ? 'only those of callers' : parts.join('; ')) + (dryRun ? '; only reported' : '')
  return tried === undefined ? text : `${text}; ${rateLimitText(tried)}`
}

function upgradeText({ protocols, websocket }: UpgradePolicy): string {
  if (protocols.length === 0) return 'off'
  const parts = [protocols.join(', ')]
  if (protocols.includes('websocket')) {
    const { origins, ping, max } = websocket
    if (origins !== null) parts.push(`from ${['the own host', ...origins].join(', ')}`)
    if (ping !== null) parts.push(`ping ${durationText(ping)}`)
    if (max !== null) parts.push(`at most ${durationText(max)}`)
  }
  return parts.join('; ')
}

function authenticateText({ mode, ways, optional }: NonNullable<RoutePolicies['authenticate']>): string {
  const named = ways.map(({ kind, name }) => `${kind} ${name}`).join(mode === 'any' ? ' or ' : ' and ')
  return optional ? `${named}, or nobody` : named
}

function timeoutText(policy: TimeoutPolicy): string {
  const parts: string[] = []
  const add = (what: string, ms: number | null): void => {
    if (ms !== null) parts.push(`${what} ${durationText(ms)}`)
  }
  add('total', policy.total)
  add('per try', policy.perTry)
  add('first byte', policy.firstByte)
  add('idle', policy.idle)
  add('stream', policy.stream)
  if (policy.header !== null) parts.push(`shortened by ${policy.header}`)
  return parts.length === 0 ? 'off' : parts.join(', ')
}

function retryText(policy: RetryPolicy): string {
  const { count, statuses, grpcStatuses = [], headers = [], methods, backoff, budget, replay, hedge } = policy
  const after = [
    ...statusRanges(statuses),
    ...grpcStatuses.map(status => `gRPC ${GRPC_NAMES[status] ?? status}`),
    ...headers.map(name => `the header ${name}`),
  ]
  const more = after.length === 0 ? '' : `; ${methods.join(', ')} after ${after.join(', ')} or no answer`
  const parts = [
    `up to ${count}: what was never processed${more}`,
    `pause up to ${durationText(backoff.from)}, then ${durationText(backoff.to)}`,
    `budget ${budget.percent}%, at least ${budget.min}`,
    `body up to ${bytesText(replay)}`,
  ]
  if (hedge !== null) parts.push(`a second try beside the first after ${durationText(hedge.after)}`)
  return parts.join('; ')
}

/** Statuses in words, three or more in a row as a range. */
function statusRanges(statuses: readonly number[]): string[] {
  const words: string[] = []
  for (let at = 0; at < statuses.length;) {
    let end = at
    while (statuses[end + 1] === (statuses[end] as number) + 1) end++
    if (end - at > 2) words.push(`${statuses[at]} to ${statuses[end]}`)
    else for (let one = at; one <= end; one++) words.push(String(statuses[one]))
    at = end + 1
  }
  return words
}

function authorizeText({ enforced, reported }: NonNullable<RoutePolicies['authorize']>): string {
  const parts: string[] = []
  if (enforced !== null) parts.push(conditionsText(enforced))
  if (reported !== null) parts.push(`only reported: ${conditionsText(reported)}`)
  return parts.join('; ')
}

type Conditions = NonNullable<NonNullable<RoutePolicies['authorize']>['enforced']>

function conditionsText({ peers, groups, scopes, when }: Conditions): string {
  const parts: string[] = []
  const add = (what: string, names: readonly string[] | null): void => {
    if (names !== null) parts.push(names.length === 0 ? 'nobody' : `${what} ${names.join(', ')}`)
  }
  add('from', peers)
  add('in one of', groups)
  add('with all of', scopes)
  if (when !== null) parts.push(`when ${when}`)
  return parts.length === 0 ? 'nobody' : parts.join('; ')
}

function faultText({ percent, delay, respond, header }: FaultPolicy): string {
  const parts: string[] = []
  if (delay !== null) parts.push(`wait ${durationText(delay)}`)
  if (respond !== null) parts.push(respond === 'abort' ? 'close the connection' : `answer ${respond}`)
  return `${percent}%: ${parts.join(', then ')}${header === null ? '' : `, only with ${conditionText(header)}`}`
}

function conditionText({ name, value }: NonNullable<FaultPolicy['header']>): string {
  if (value === null) return name
  return `${name}: ${isSecretField(name) ? REDACTED : value}`
}

function fallbackText(policy: FallbackPolicy): string {
  return policy.kind === 'upstream' ? `the upstream ${policy.upstream}` : `answer ${policy.status}`
}
