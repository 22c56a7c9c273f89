import type {
  CircuitBreakerSpec,
  HealthCheckSpec,
  LoadBalanceSpec,
  OutlierSpec,
  UpstreamLimits,
  UpstreamSpec,
} from '../upstream/upstream-spec.ts'
import { keySourcesText } from './key-text.ts'
import { durationText } from './quantity-text.ts'

/** How an upstream is balanced, checked, protected and limited, in words: a label and a text each. */
export function upstreamSettings(spec: UpstreamSpec): (readonly [label: string, text: string])[] {
  return [
    ...(spec.protocol === 'http2' ? [['protocol', protocolText(spec)] as const] : []),
    ['balanced', balanceText(spec.loadBalance)],
    ['checked', spec.healthCheck === null ? 'off' : checkText(spec.healthCheck)],
    ['ejection', spec.outlierDetection === null ? 'off' : outlierText(spec.outlierDetection)],
    ['breaker', spec.circuitBreaker === null ? 'off' : breakerText(spec.circuitBreaker)],
    ['limits', limitsText(spec.limits)],
  ]
}

function protocolText({ tls, connection }: UpstreamSpec): string {
  const how = tls === null ? 'in the clear (h2c)' : 'over TLS (h2)'
  return `HTTP/2 ${how}; an idle session is kept for ${durationText(connection.keepAlive)}`
}

function balanceText({ policy, by, zone, slowStart, panicPercent }: LoadBalanceSpec): string {
  const parts = [by.length === 0 ? policy : `${policy} by ${keySourcesText(by)}`]
  if (zone !== '') parts.push(`zone ${zone} first`)
  if (slowStart !== null) parts.push(`slow start ${durationText(slowStart)}`)
  parts.push(panicPercent === 0 ? 'no panic' : `panic below ${panicPercent}% healthy`)
  return parts.join('; ')
}

function checkText(check: HealthCheckSpec): string {
  const what =
    check.kind === 'http'
      ? `GET ${check.target}`
      : check.kind === 'tcp'
        ? 'a connection'
        : `gRPC health${check.target === '' ? '' : ` of ${check.target}`}`
  const statuses = check.statuses.length === 0 ? '' : ` for ${check.statuses.join(', ')}`
  const { interval, timeout, unhealthyAfter, healthyAfter } = check
  return `${what}${statuses} every ${durationText(interval)}, ${durationText(timeout)} at most; unhealthy after ${unhealthyAfter}, healthy after ${healthyAfter}`
}

function outlierText(spec: OutlierSpec): string {
  const why: string[] = []
  if (spec.consecutiveErrors !== null) why.push(`${spec.consecutiveErrors} errors in a row`)
  if (spec.successRate !== null)
    why.push(`success ${spec.successRate.deviations} deviations below the others`)
  if (spec.latency !== null) why.push(`${spec.latency.factor} times the median latency`)
  const most = `at most ${durationText(spec.maxEjection)} and ${spec.maxEjectedPercent}% of the endpoints`
  return `${why.join(' or ')}; for ${durationText(spec.ejection)} each time, ${most}`
}

function breakerText({ trip, openFor, halfOpenRequests, scope }: CircuitBreakerSpec): string {
  const why =
    trip.kind === 'consecutive'
      ? `${trip.failures} failures in a row`
      : `${Number((trip.ratio * 100).toFixed(2))}% failures of ${trip.minimumRequests} requests or more in ${durationText(trip.window)}`
  const probes = `${halfOpenRequests} probe${halfOpenRequests === 1 ? '' : 's'}`
  return `${why}; open for ${durationText(openFor)}, then ${probes}${scope === 'endpoint' ? '; each endpoint its own' : ''}`
}

function limitsText({ inFlight, pending, connections, retries, adaptive }: UpstreamLimits): string {
  const parts = [`${inFlight} in flight`, `${pending} waiting`]
  if (connections !== null) parts.push(`${connections} connections`)
  if (retries !== null) parts.push(`${retries} retries`)
  if (adaptive !== null) parts.push(`adaptive from ${adaptive.min}`)
  return parts.join(', ')
}
