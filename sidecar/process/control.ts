import type { Control } from '../admin/control.ts'
import { asWritten } from '../config/as-written.ts'
import type { ResolvedConfig } from '../config/resolved.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { isLogLevel, type Log } from '../telemetry/process-log.ts'
import type { Service } from './service.ts'
import { describeUpstreams } from './states.ts'

/** What the admin endpoints see and do of a running process. */
export function processControl(
  service: Service,
  parts: { readonly metrics: Metrics; readonly log: Log; quit(): void },
  run: { ready(): boolean; config(): ResolvedConfig | null; drain(): void },
): Control {
  return {
    ready: () => run.ready(),
    metrics: write => parts.metrics.render(write),
    config: () => {
      const { references: _, ...config } = run.config() ?? {}
      return config
    },
    asWritten: text => asWritten(text, run.config()?.references ?? []),
    configHash: () => service.holder.current.snapshot.hash,
    upstreams: () => describeUpstreams(service.holder.current.snapshot, service.clock),
    drain: () => run.drain(),
    quit: () => parts.quit(),
    get logLevel() {
      return parts.log.level
    },
    set logLevel(level) {
      if (isLogLevel(level)) parts.log.level = level
    },
  }
}
