import { readdir } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

const RESOLUTION_MS = 20

/** Metrics of prom-client that walk every handle or read a directory synchronously: too slow with 10,000 connections. */
const COSTLY = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'process_open_fds',
  // One monitor of the event loop is enough; ours starts anew at each scrape.
  'nodejs_eventloop_lag_seconds',
  'nodejs_eventloop_lag_min_seconds',
  'nodejs_eventloop_lag_max_seconds',
  'nodejs_eventloop_lag_mean_seconds',
  'nodejs_eventloop_lag_stddev_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p90_seconds',
  'nodejs_eventloop_lag_p99_seconds',
]

/**
 * Adds the metrics of the process: CPU, memory, garbage collection, file descriptors (prom-client) and the lag of the
 * event loop. Loads prom-client, so it is called when the listeners are open, not before.
 * @returns ends the measuring
 */
export async function processMetrics(metrics: Metrics): Promise<() => void> {
  const { collectDefaultMetrics, Registry, Gauge } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1_000 })
  for (const name of COSTLY) registry.removeSingleMetric(name)
  const descriptors = new Gauge({
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    registers: [],
  })
  registry.registerMetric(descriptors)
  metrics.text(async () => {
    const open = await readdir('/proc/self/fd').catch(() => null)
    if (open !== null) descriptors.set(open.length)
    return registry.metrics()
  })
  const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  lag.enable()
  metrics.gauge('outrigger_event_loop_lag_seconds', 'Lag of the event loop since the last scrape.', () => {
    // The monitor measures its own period, so a loop without lag shows the resolution.
    const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3)
    const samples =
      lag.count === 0
        ? []
        : [
            { labels: { stat: 'mean' }, value: seconds(lag.mean) },
            { labels: { stat: 'p50' }, value: seconds(lag.percentile(50)) },
            { labels: { stat: 'p99' }, value: seconds(lag.percentile(99)) },
            { labels: { stat: 'max' }, value: seconds(lag.max) },
          ]
    lag.reset()
    return samples
  })
  return () => lag.disable()
}
