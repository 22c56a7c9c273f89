import { holdingLimits } from '../config/compile/caller-limits.ts'
import type { ResolvedConfig, ResolvedListener, ResolvedRoute, SourcePlace } from '../config/resolved.ts'
import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { GRPC_NAMES, grpcKind, grpcStatusOf } from '../exchange/grpc-status.ts'
import { fromWire, type HeaderList } from '../exchange/headers.ts'
import { explainLookup, type RouteExplanation } from '../routing/explain-lookup.ts'
import type { FaultPolicy, RoutePolicies } from '../snapshot/policies.ts'
import type { Entry } from '../snapshot/snapshot.ts'
import { isSecretField, REDACTED } from '../telemetry/redaction.ts'
import { addressLabel } from '../upstream/endpoint.ts'
import type { UpstreamSpec } from '../upstream/upstream-spec.ts'
import type { Decision, Judgement, UnopenedUpstream } from './judge.ts'
import { type ExplainedCaller, explainedCaller } from './caller-text.ts'
import { keySourcesText, sideText, usedKeyText } from './key-text.ts'
import type { LiveUpstream } from './live-upstream.ts'
import { holdingLimitText } from './limit-text.ts'
import { policyText } from './policy-text.ts'
import { upstreamSettings } from './upstream-text.ts'

/** A policy that applies to a route, and where it was written. */
export interface ExplainedPolicy {
  readonly name: string
  /** Durations in milliseconds, sizes in bytes; null: off or none. */
  readonly value: unknown
  /** In words, for people. */
  readonly text: string
  readonly from: string
}

/** Everything that `outrigger explain` says: plain data. Values of fields that hold secrets are hidden. */
export interface Explanation {
  readonly layers: readonly string[]
  readonly address: string
  /** Null where the request cannot be read in one way only. */
  readonly request: CanonicalRequest | null
  readonly listener: { readonly name: string; readonly role: string; readonly at: string } | null
  readonly route: {
    readonly name: string
    readonly at: string
    readonly params: Readonly<Record<string, string>>
  } | null
  /** What each route of the listener says to the request, in the order written. */
  readonly routes: readonly RouteExplanation[]
  readonly omitted: number
  readonly policies: readonly ExplainedPolicy[]
  /** Who calls; null where nobody proved it. */
  readonly caller: ExplainedCaller | null
  /** The limits that hold for it, in words: those of its plan and entry too, with its numbers. */
  readonly limits: readonly string[]
  readonly decision: ExplainedDecision
  readonly upstream: ExplainedUpstream | null
}

/** What the client would get, or that the request goes on. */
export interface ExplainedDecision {
  readonly kind: Decision['kind']
  /** Null where the upstream chooses it. */
  readonly status: number | null
  /** The reason code where Outrigger refuses; else empty. */
  readonly reason: string
  /** In words, for people. */
  readonly text: string
}

/** Where the request would go, and as what. */
export interface ExplainedUpstream {
  readonly name: string
  readonly at: string
  readonly target: string
  readonly host: string
  readonly upgrade: string | null
  /** Without those of the connection. A request id is another one each time. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly loadBalance: string
  /** What its balancer hashes of this request; null where it hashes nothing. */
  readonly hashed: string | null
  readonly endpoints: readonly string[]
  /** How it is balanced, checked, protected and limited, in words. */
  readonly settings: readonly (readonly [label: string, text: string])[]
  /** How it is in a running process; null where none was asked. */
  readonly live: LiveUpstream | null
}

/** Puts a judgement in words. */
export function explanation(
  config: ResolvedConfig,
  entry: Entry<UnopenedUpstream>,
  { exchange, route, decision }: Judgement,
): Explanation {
  const listener = config.listeners.find(one => one.name === exchange?.listener) ?? null
  const resolved = listener?.routes.find(one => one.name === route?.name) ?? null
  const asked = listener === null || exchange === null ? null : lookedUp(entry, listener, exchange)
  return {
    layers: config.layers,
    address: addressLabel(entry.address),
    request: exchange?.request ?? null,
    listener: listener === null ? null : { name: listener.name, role: listener.role, at: place(listener.at) },
    route:
      resolved === null
        ? null
        : { name: resolved.name, at: place(resolved.at), params: { ...exchange?.params } },
    routes: asked?.routes ?? [],
    omitted: asked?.omitted ?? 0,
    policies: resolved === null ? [] : policiesOf(resolved),
    caller: exchange === null ? null : explainedCaller(exchange),
    limits:
      resolved === null || exchange === null
        ? []
        : holdingLimits(resolved.policies.rateLimit, config.limits, exchange.caller).map(holdingLimitText),
    decision: inWords(decision, resolved, exchange),
    upstream: exchange === null ? null : upstreamOf(config, exchange, decision),
  }
}

function lookedUp(entry: Entry<UnopenedUpstream>, listener: ResolvedListener, exchange: Exchange) {
  const compiled = entry.listeners.find(one => one.name === listener.name)
  if (compiled === undefined || exchange.request === null) return null
  return explainLookup(compiled.table, exchange.request, exchange.heard ?? exchange.headers)
}

function policiesOf({ policies, from }: ResolvedRoute): ExplainedPolicy[] {
  const shown: Readonly<Record<string, unknown>> = {
    ...policies,
    headers: withoutSecrets(policies.headers),
    fault: policies.fault && { ...policies.fault, header: hiddenCondition(policies.fault.header) },
    fallback:
      policies.fallback?.kind === 'respond'
        ? {
            ...policies.fallback,
            headers: Object.fromEntries(
              Object.entries(policies.fallback.headers).map(([name, value]) => hide(name, value)),
            ),
          }
        : policies.fallback,
  }
  // Not policies that anybody writes: the listener's TLS brings the one, a provider of logins the other.
  const written = Object.entries(shown).filter(
    ([name, value]) => name !== 'ownCookies' && (name !== 'hsts' || value !== null),
  )
  return written.map(([name, value]) => ({
    name,
    value,
    text: policyText(policies, name) ?? (value === null ? 'off' : JSON.stringify(value)),
    from: from[name] ?? (name === 'hsts' ? 'tls of the listener' : 'default'),
  }))
}

function hiddenCondition(header: FaultPolicy['header']): FaultPolicy['header'] {
  return header?.value == null ? header : { name: header.name, value: hide(header.name, header.value)[1] }
}

function withoutSecrets(policy: RoutePolicies['headers']): unknown {
  const pairs = (list: readonly (readonly [string, string])[]) =>
    list.map(([name, value]) => hide(name, value))
  const edits = (side: NonNullable<RoutePolicies['headers']>['request']) => ({
    ...side,
    set: pairs(side.set),
    add: pairs(side.add),
  })
  return policy === null ? null : { request: edits(policy.request), response: edits(policy.response) }
}

function hide(name: string, value: string): [name: string, value: string] {
  return [name, isSecretField(name) ? REDACTED : value]
}

/** What a gRPC client hears of it; empty for other requests. */
function asCall(exchange: Exchange | null, reason: string): string {
  if (exchange === null || grpcKind(exchange) === null) return ''
  const status = grpcStatusOf(reason)
  return `; as a call: ${status} ${GRPC_NAMES[status]}`
}

function inWords(
  decision: Decision,
  route: ResolvedRoute | null,
  exchange: Exchange | null,
): ExplainedDecision {
  const { kind } = decision
  switch (decision.kind) {
    case 'refused': {
      const { status, reason, detail, headers, cause } = decision.error
      const more = `${detail === '' ? '' : `: ${detail}`}${cause === '' ? '' : `, ${cause}`}${headers === null ? '' : ` (${fields(headers)})`}`
      return {
        kind,
        status,
        reason,
        text: `refused with ${status} ${reason}${more}${asCall(exchange, reason)}`,
      }
    }
    case 'answered': {
      const { status, filter, headers } = decision
      return { kind, status, reason: '', text: `the filter ${filter} answers ${status} (${fields(headers)})` }
    }
    case 'respond':
      return {
        kind,
        status: decision.status,
        reason: '',
        text: `the route ${route?.name ?? ''} answers ${decision.status}`,
      }
    case 'redirect': {
      const { status, location } = decision
      return { kind, status, reason: '', text: `redirected with ${status} to ${location}` }
    }
    case 'upstream': {
      const { name } = decision.upstream
      const split = route?.action.kind === 'split' && exchange !== null ? route.action : null
      const side = split === null || exchange === null ? '' : `: ${sideText(split, name, exchange)}`
      return { kind, status: null, reason: '', text: `forwarded to the upstream ${name}${side}` }
    }
  }
}

function upstreamOf(
  config: ResolvedConfig,
  exchange: Exchange,
  decision: Decision,
): ExplainedUpstream | null {
  if (decision.kind !== 'upstream') return null
  const { upstream, target, host } = decision
  const at = config.upstreams[upstream.name]?.at
  return {
    name: upstream.name,
    at: at === undefined ? '' : place(at),
    target,
    host,
    upgrade: exchange.tunnel,
    headers: pairsOf(exchange.upstreamHeaders),
    loadBalance: upstream.loadBalance.policy,
    hashed: hashedText(upstream, exchange),
    endpoints: [...upstream.endpoints.map(endpointText), ...discoveryTexts(upstream)],
    settings: upstreamSettings(upstream),
    live: null,
  }
}

function hashedText({ loadBalance }: UpstreamSpec, exchange: Exchange): string | null {
  if (loadBalance.by.length === 0) return null
  const none = `nothing: the request has no ${keySourcesText(loadBalance.by)}`
  return usedKeyText(loadBalance.by, exchange) ?? none
}

function endpointText({ address, weight, zone, priority }: UpstreamSpec['endpoints'][number]): string {
  const more: string[] = []
  if (weight !== 1) more.push(`weight ${weight}`)
  if (zone !== '') more.push(`zone ${zone}`)
  if (priority !== 0) more.push(`priority ${priority}`)
  const label = addressLabel(address)
  return more.length === 0 ? label : `${label} (${more.join(', ')})`
}

/** Which Service of Kubernetes is asked for endpoints. None is asked here. */
function discoveryTexts({ discovery }: UpstreamSpec): string[] {
  if (discovery === undefined) return []
  const { service, namespace, port, api } = discovery
  const at = namespace === '' ? service : `${service}.${namespace}`
  return [`kubernetes ${at}${port === null ? '' : `:${port}`}${api === null ? '' : ` of ${api.url}`}`]
}

function pairsOf(headers: HeaderList): [name: string, value: string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i + 1 < headers.length; i += 2)
    pairs.push(hide(headers[i] ?? '', fromWire(headers[i + 1] ?? '')))
  return pairs
}

function fields(headers: HeaderList): string {
  return pairsOf(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ')
}

function place({ file, line }: SourcePlace): string {
  return `${file}:${line}`
}
