import type { CircuitBreakerSpec, HealthCheckSpec, OutlierSpec } from '../../upstream/upstream-spec.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import type { WrittenUpstream } from './upstream-schema.ts'

const KINDS = ['path', 'grpc', 'tcp'] as const

/** How endpoints are asked whether they are well, defaults filled in. */
export function resolveHealthCheck(
  written: WrittenUpstream['healthCheck'],
  path: ConfigPath,
  resolution: Resolution,
): HealthCheckSpec | null {
  if (written === undefined || written === false) return null
  const [kind, second] = KINDS.filter(key => written[key] !== undefined)
  if (kind === undefined) {
    resolution.fault(path, 'a health check needs one of `path`, `grpc` and `tcp`')
  } else if (second !== undefined) {
    resolution.fault(
      [...path, second],
      `\`${kind}\` and \`${second}\` are alternatives: give one`,
      undefined,
      'key',
    )
  } else if (kind !== 'path') {
    for (const key of ['host', 'statuses'] as const) {
      if (written[key] === undefined) continue
      resolution.fault([...path, key], `\`${key}\` is for \`path\`: \`${kind}\` has none`, undefined, 'key')
    }
  }
  const interval = written.interval ?? 10_000
  const timeout = written.timeout ?? Math.min(1000, interval)
  if (timeout > interval && resolution.secrets) {
    // Not at `timeout` itself: the interval may be what the schema refused.
    resolution.fault(path, `\`timeout\` cannot be longer than \`interval\`, which is ${interval}ms`)
  }
  return {
    kind: kind === undefined || kind === 'path' ? 'http' : kind,
    target: written.path ?? written.grpc ?? '',
    host: written.host ?? '',
    statuses: [...new Set(written.statuses)],
    interval,
    timeout,
    unhealthyAfter: written.unhealthyAfter ?? 3,
    healthyAfter: written.healthyAfter ?? 2,
  }
}

/** When endpoints are put aside, defaults filled in. On unless it is said to be off. */
export function resolveOutlier(
  written: WrittenUpstream['outlierDetection'],
  path: ConfigPath,
  resolution: Resolution,
): OutlierSpec | null {
  if (written === false) return null
  const { consecutiveErrors = 5, successRate = false, latency = false } = written ?? {}
  const ejection = written?.ejection ?? 30_000
  const maxEjection = written?.maxEjection ?? Math.max(300_000, ejection)
  if (ejection > maxEjection && resolution.secrets) {
    resolution.fault(
      [...path, 'ejection'],
      `\`ejection\` cannot be longer than \`maxEjection\``,
      undefined,
      'key',
    )
  }
  if (consecutiveErrors === null && !successRate && !latency) return null
  return {
    consecutiveErrors,
    successRate: successRate
      ? {
          deviations: successRate.deviations ?? 1.9,
          minimumRequests: successRate.minimumRequests ?? 100,
        }
      : null,
    latency: latency
      ? { factor: latency.factor ?? 3, minimumRequests: latency.minimumRequests ?? 100 }
      : null,
    interval: written?.interval ?? 10_000,
    ejection,
    maxEjection,
    maxEjectedPercent: written?.maxEjectedPercent ?? 10,
  }
}

/** When requests are refused at once, defaults filled in. */
export function resolveBreaker(
  written: WrittenUpstream['circuitBreaker'],
  path: ConfigPath,
  resolution: Resolution,
): CircuitBreakerSpec | null {
  if (written === undefined || written === false) return null
  const { failureThreshold, failureRatio, window, minimumRequests } = written
  if (failureThreshold !== undefined && failureRatio !== undefined) {
    resolution.fault(
      [...path, 'failureRatio'],
      '`failureThreshold` and `failureRatio` are alternatives: give one',
      undefined,
      'key',
    )
  }
  for (const key of ['window', 'minimumRequests'] as const) {
    if (written[key] === undefined || failureRatio !== undefined) continue
    // Not at the key itself: the ratio may be what the schema refused.
    resolution.fault(path, `\`${key}\` is for \`failureRatio\`, which is not given`)
  }
  return {
    trip:
      failureRatio === undefined
        ? { kind: 'consecutive', failures: failureThreshold ?? 5 }
        : {
            kind: 'ratio',
            ratio: failureRatio,
            window: window ?? 10_000,
            minimumRequests: minimumRequests ?? 20,
          },
    openFor: written.openFor ?? 30_000,
    halfOpenRequests: written.halfOpenRequests ?? 1,
    scope: written.scope ?? 'upstream',
  }
}
