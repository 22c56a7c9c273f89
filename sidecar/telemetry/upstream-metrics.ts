import { escapeLabel } from './exposition.ts'
import type { UpstreamRecorder } from './recorder.ts'
import type { Series } from './series-table.ts'

/** The counters of one upstream: plain fields that the data path increments. */
export class UpstreamMetrics implements UpstreamRecorder, Series {
  readonly name: string
  readonly label: string
  requests = 0
  retries = 0
  reuseRaces = 0
  connectsOpened = 0
  connectsFailed = 0
  timeouts = 0
  pendingRefused = 0

  constructor(name: string) {
    this.name = name
    this.label = escapeLabel(name)
  }

  get activity(): number {
    const connects = this.connectsOpened + this.connectsFailed
    return this.requests + this.retries + this.reuseRaces + connects + this.timeouts + this.pendingRefused
  }

  detach(): void {}
}

/** What an upstream has at the moment, asked for at a scrape. */
export interface UpstreamState {
  readonly upstream: string
  readonly inFlight: number
  readonly pending: number
  /** Connections in the pools without and with an exchange. */
  readonly idle: number
  readonly active: number
  readonly endpoints: number
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

/** The counters by name; each is written for every upstream. */
export const UPSTREAM_COUNTERS: readonly CounterOf[] = [
  {
    name: 'outrigger_upstream_requests_total',
    help: 'Attempts sent to the upstream.',
    lines: one(upstream => upstream.requests),
  },
  {
    name: 'outrigger_upstream_retries_total',
    help: 'Attempts after the first one of a request.',
    lines: one(upstream => upstream.retries),
  },
  {
    name: 'outrigger_upstream_reuse_races_total',
    help: 'Pooled connections that ended after the request was written and before one byte of the response.',
    lines: one(upstream => upstream.reuseRaces),
  },
  {
    name: 'outrigger_upstream_connects_total',
    help: 'Connections opened to the upstream, and tries that failed.',
    lines: (upstream, name) =>
      `${name}{upstream="${upstream.label}",result="opened"} ${upstream.connectsOpened}\n` +
      `${name}{upstream="${upstream.label}",result="failed"} ${upstream.connectsFailed}\n`,
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
    lines: (state, name) =>
      `${name}{upstream="${escapeLabel(state.upstream)}",state="idle"} ${state.idle}\n` +
      `${name}{upstream="${escapeLabel(state.upstream)}",state="active"} ${state.active}\n`,
  },
  {
    name: 'outrigger_upstream_endpoints',
    help: 'Endpoints of the upstream.',
    lines: gauge(state => state.endpoints),
  },
]
