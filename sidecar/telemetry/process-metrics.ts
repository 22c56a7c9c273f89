import { readdir } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

const RESOLUTION_MS = 20

/** Microseconds of processor time, by part of the name. */
const CPU: readonly (readonly [string, string, (used: NodeJS.CpuUsage) => number])[] = [
  ['user_', 'Total user CPU time spent in seconds.', used => used.user],
  ['system_', 'Total system CPU time spent in seconds.', used => used.system],
  ['', 'Total user and system CPU time spent in seconds.', used => used.user + used.system],
]

/**
 * Adds the metrics of the process: CPU, memory, garbage collection, file descriptors (prom-client) and the lag of the
 * event loop. Loads prom-client, so it is called when the listeners are open, not before.
 * @returns ends the measuring
 */
export async function processMetrics(metrics: Metrics): Promise<() => void> {
  const { registry, Gauge } = await promClient()
  const descriptors = new Gauge({
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    registers: [],
  })
  registry.registerMetric(descriptors)
  for (const [kind, help, read] of CPU) {
    const value = (): number => read(process.cpuUsage()) / 1e6
    metrics.counter(`process_cpu_${kind}seconds_total`, help, () => [{ labels: {}, value: value() }])
  }
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

/**
 * The parts of prom-client that are used, one by one: its index loads TLS, its counters of processor time OpenTelemetry,
 * 13 MiB together. Its groups that walk every handle, read a directory synchronously or watch the event loop once more
 * are not among them.
 */
async function promClient() {
  const [{ default: Registry }, { default: Gauge }, ...groups] = await Promise.all([
    import('prom-client/lib/registry.js'),
    import('prom-client/lib/gauge.js'),
    import('prom-client/lib/metrics/processStartTime.js'),
    import('prom-client/lib/metrics/osMemoryHeap.js'),
    import('prom-client/lib/metrics/processMaxFileDescriptors.js'),
    import('prom-client/lib/metrics/heapSizeAndUsed.js'),
    import('prom-client/lib/metrics/heapSpacesSizeAndUsed.js'),
    import('prom-client/lib/metrics/version.js'),
    import('prom-client/lib/metrics/gc.js'),
  ])
  const registry = new Registry()
  for (const group of groups) group.default(registry)
  return { registry, Gauge }
}
