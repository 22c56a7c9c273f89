import { escapeLabel } from './exposition.ts'
import type { RetryCounts, UpstreamRecorder } from './recorder.ts'
import type { Series } from './series-table.ts'

/** The counters of one upstream: plain fields that the data path increments. */
export class UpstreamMetrics implements UpstreamRecorder, Series {
  readonly name: string
  readonly label: string
  requests = 0
  readonly retries: RetryCounts = { unprocessed: 0, failure: 0, timeout: 0, status: 0, hedge: 0 }
  retriesRefused = 0
  fallbacks = 0
  mirrored = 0
  mirrorsDropped = 0
  reuseRaces = 0
  connectsOpened = 0
  connectsFailed = 0
  timeouts = 0
  pendingRefused = 0
  ejectedForErrors = 0
  ejectedForSuccessRate = 0
  ejectedForLatency = 0
  ejectedForProbe = 0
  breakerOpened = 0

  constructor(name: string) {
    this.name = name
    this.label = escapeLabel(name)
  }

  get activity(): number {
    const connects = this.connectsOpened + this.connectsFailed
    const refused = this.pendingRefused + this.retriesRefused + this.mirrorsDropped
    // What a retry, a race or a copy counts, its attempt has counted as well.
    return this.requests + connects + this.timeouts + refused + this.fallbacks
  }

  detach(): void {}
}

/** The states by which endpoints are counted. */
export type EndpointState = 'healthy' | 'unhealthy' | 'ejected' | 'probing'

/** What an upstream has at the moment, asked for at a scrape. */
export interface UpstreamState {
  readonly upstream: string
  readonly inFlight: number
  readonly pending: number
  /** Connections in the pools without and with an exchange. */
  readonly idle: number
  readonly active: number
  /** Endpoints by their state. */
  readonly endpoints: Readonly<Record<EndpointState, number>>
  /** 0 closed, 1 half-open, 2 open: the gravest of its breakers. Null: it has none. */
  readonly breaker: number | null
  /** Whether health is ignored. */
  readonly panic: boolean
}

interface CounterOf {
  readonly name: string
  readonly help: string
  readonly lines: (upstream: UpstreamMetrics, name: string) => string
}

const one =
  (value: (upstream: UpstreamMetrics) => number) =>
  (upstream: UpstreamMetrics, name: string): string =>
    `${name}{upstream="${upstream.label}"} ${value(upstream)}\n`

/** A line for each value of one more label. */
function linesBy(
  name: string,
  upstream: string,
  label: string,
  values: Readonly<Record<string, number>>,
): string {
  let text = ''
  for (const [of, value] of Object.entries(values))
    text += `${name}{upstream="${upstream}",${label}="${of}"} ${value}\n`
  return text
}

const each =
  (label: string, values: (upstream: UpstreamMetrics) => Readonly<Record<string, number>>) =>
  (upstream: UpstreamMetrics, name: string): string =>
    linesBy(name, upstream.label, label, values(upstream))

/** The counters by name; each is written for every upstream. */
export const UPSTREAM_COUNTERS: readonly CounterOf[] = [
  {
    name: 'outrigger_upstream_requests_total',
    help: 'Attempts sent to the upstream.',
    lines: one(upstream => upstream.requests),
  },
  {
    name: 'outrigger_upstream_retries_total',
    help: 'Attempts after the first one of a request, by what they followed.',
    lines: each('cause', upstream => ({ ...upstream.retries })),
  },
  {
    name: 'outrigger_upstream_retries_refused_total',
    help: 'Retries that the retry budget did not allow.',
    lines: one(upstream => upstream.retriesRefused),
  },
  {
    name: 'outrigger_upstream_fallbacks_total',
    help: 'Requests that went to the fallback of their route because this upstream failed them.',
    lines: one(upstream => upstream.fallbacks),
  },
  {
    name: 'outrigger_upstream_mirrored_total',
    help: 'Copies of requests to this upstream: sent, and dropped because too many were under way.',
    lines: each('result', upstream => ({ sent: upstream.mirrored, dropped: upstream.mirrorsDropped })),
  },
  {
    name: 'outrigger_upstream_reuse_races_total',
    help: 'Requests repeated at once outside of retries: the pooled connection ended before one byte of a response, or the stream came back unprocessed.',
    lines: one(upstream => upstream.reuseRaces),
  },
  {
    name: 'outrigger_upstream_connects_total',
    help: 'Connections opened to the upstream, and tries that failed.',
    lines: each('result', upstream => ({ opened: upstream.connectsOpened, failed: upstream.connectsFailed })),
  },
  {
    name: 'outrigger_upstream_timeouts_total',
    help: 'Attempts that the upstream did not answer in time.',
    lines: one(upstream => upstream.timeouts),
  },
  {
    name: 'outrigger_upstream_pending_refused_total',
    help: 'Requests refused because too many were waiting for a connection.',
    lines: one(upstream => upstream.pendingRefused),
  },
  {
    name: 'outrigger_upstream_ejections_total',
    help: 'Endpoints put aside for what their traffic showed, by cause.',
    lines: each('cause', upstream => ({
      consecutive_errors: upstream.ejectedForErrors,
      success_rate: upstream.ejectedForSuccessRate,
      latency: upstream.ejectedForLatency,
      probe: upstream.ejectedForProbe,
    })),
  },
  {
    name: 'outrigger_circuit_breaker_opened_total',
    help: 'How often a circuit breaker opened: that of the upstream, or those of its endpoints.',
    lines: one(upstream => upstream.breakerOpened),
  },
]

interface GaugeOf {
  readonly name: string
  readonly help: string
  readonly lines: (state: UpstreamState, name: string) => string
}

const gauge =
  (value: (state: UpstreamState) => number) =>
  (state: UpstreamState, name: string): string =>
    `${name}{upstream="${escapeLabel(state.upstream)}"} ${value(state)}\n`

const gauges =
  (label: string, values: (state: UpstreamState) => Readonly<Record<string, number>>) =>
  (state: UpstreamState, name: string): string =>
    linesBy(name, escapeLabel(state.upstream), label, values(state))

/** The gauges by name. */
export const UPSTREAM_GAUGES: readonly GaugeOf[] = [
  {
    name: 'outrigger_upstream_in_flight',
    help: 'Requests that the upstream is working on.',
    lines: gauge(state => state.inFlight),
  },
  {
    name: 'outrigger_upstream_pending',
    help: 'Requests that wait for a connection to the upstream.',
    lines: gauge(state => state.pending),
  },
  {
    name: 'outrigger_upstream_pool_connections',
    help: 'Connections to the upstream, by state.',
    lines: gauges('state', ({ idle, active }) => ({ idle, active })),
  },
  {
    name: 'outrigger_upstream_endpoints',
    help: 'Endpoints of the upstream, by state.',
    lines: gauges('state', state => state.endpoints),
  },
  {
    name: 'outrigger_circuit_breaker_state',
    help: 'Where the circuit breaker stands: 0 closed, 1 half-open, 2 open; of endpoints, the gravest.',
    lines: (state, name) =>
      state.breaker === null ? '' : `${name}{upstream="${escapeLabel(state.upstream)}"} ${state.breaker}\n`,
  },
  {
    name: 'outrigger_upstream_panic',
    help: 'Whether health is ignored because too few endpoints are healthy: 1 or 0.',
    lines: gauge(state => (state.panic ? 1 : 0)),
  },
]
