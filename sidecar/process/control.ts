import type { Control } from '../admin/control.ts'
import type { ResolvedConfig, ResolvedReference } from '../config/resolved.ts'
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

/** A value of one or two characters stands in many words: it is replaced only where it is the whole text. */
const SHORT = 3

/** A text of the configuration with references in the place of what they brought. */
export function asWritten(text: string, references: readonly ResolvedReference[]): string {
  let shown = text
  for (const { value, written } of references) {
    if (value.length >= SHORT) shown = shown.replaceAll(value, () => written)
    else if (shown === value) shown = written
  }
  return shown
}
