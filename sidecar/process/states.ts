import type { Snapshot } from '../snapshot/snapshot.ts'
import type { UpstreamState } from '../telemetry/upstream-metrics.ts'
import type { Service } from './service.ts'

/** Open client connections of the process. */
export function activeConnections(service: Service): number {
  return service.acceptors.connections
}

/** What each upstream has at the moment, for the gauges. */
export function* upstreamStates(snapshot: Snapshot): Generator<UpstreamState> {
  for (const upstream of snapshot.upstreams.values()) {
    let idle = 0
    let open = 0
    for (const endpoint of upstream.endpoints) {
      idle += endpoint.pool.idle
      open += endpoint.pool.open
    }
    yield {
      upstream: upstream.spec.name,
      inFlight: upstream.load.inFlight,
      pending: upstream.load.waiting.length,
      idle,
      active: open - idle,
      endpoints: upstream.endpoints.length,
    }
  }
}

/** Upstreams with their endpoints, for the admin endpoint and for people. */
export function describeUpstreams(snapshot: Snapshot): unknown {
  return [...snapshot.upstreams.values()].map(upstream => ({
    name: upstream.spec.name,
    loadBalance: upstream.spec.loadBalance,
    inFlight: upstream.load.inFlight,
    pending: upstream.load.waiting.length,
    limits: upstream.spec.limits,
    names: upstream.names,
    endpoints: upstream.endpoints.map(endpoint => ({
      address: endpoint.label,
      inFlight: endpoint.inFlight,
      connections: { open: endpoint.pool.open, idle: endpoint.pool.idle },
    })),
  }))
}
