import { parseHost } from './match-text.ts'
import { duration } from './quantities.ts'
import { decimal, integer, integerOrOff, isOn, oneOf, percent, scalar, text, Wrong } from './scalars.ts'
import { list, option, orOff, section, shorter } from './shape.ts'
import {
  expandCircuitBreaker,
  expandHealthCheck,
  expandMember,
  expandOutlierDetection,
} from './shorthands.ts'

const SWITCH = { type: 'boolean' }

const checkPath = text('a path', { pattern: '^/' }, '/', (value, shown) => {
  if (!value.startsWith('/')) return new Wrong(`a path begins with \`/\`, got ${shown}`, `write: /${value}`)
  return /^[\x21\x22\x24-\x7e]+$/.test(value)
    ? value
    : new Wrong(`${shown}: a path to ask for holds no spaces, no \`#\` and no other alphabets`)
})
const service = scalar<string>({ anyOf: [{ type: 'string' }, { const: true }] }, '', (value, shown) => {
  if (isOn(value)) return ''
  return typeof value === 'string' && /^[A-Za-z_][\w.]*$/.test(value)
    ? value
    : new Wrong(`expected the name of a gRPC service, or \`on\` for the whole server, got ${shown}`)
})
const tcp = scalar<true>({ const: true }, true, (value, shown) =>
  isOn(value) ? true : new Wrong(`expected \`on\`, got ${shown}`),
)
const host = text('a host', {}, 'host', (value, shown) => parseHost(value, shown, true))

/** How endpoints are asked whether they are well. */
export const healthCheck = shorter(
  expandHealthCheck,
  orOff(
    section('a health check', {
      path: option(checkPath, 'HTTP: the path asked for, the same as the text alone'),
      grpc: option(service, "gRPC's health service: the name of the service, `on` for the whole server"),
      tcp: option(tcp, 'whether a connection can be made'),
      host: option(host, "HTTP: the Host that is sent. Default: the upstream's own"),
      statuses: option(list(integer(200, 599)), 'HTTP: statuses that count as well. Default: 200 to 299'),
      interval: option(duration, 'between two checks, give or take a tenth', '10s'),
      timeout: option(duration, 'how long a check may take; not more than `interval`', '1s'),
      unhealthyAfter: option(integer(1, 1000), 'failures in a row until it is unhealthy', 3),
      healthyAfter: option(integer(1, 1000), 'successes in a row until it is healthy again', 2),
    }),
  ),
  [checkPath, { const: false }],
)
/** A key that says nothing but `on`, or a map whose keys all have defaults. */
const successRate = shorter(
  expandMember,
  orOff(
    section('a success rate', {
      deviations: option(decimal(0.1, 10), 'standard deviations below the mean', 1.9),
      minimumRequests: option(
        integer(1, 1_000_000),
        'requests of an interval that it takes to be compared',
        100,
      ),
    }),
  ),
  [SWITCH],
)
const latency = shorter(
  expandMember,
  orOff(
    section('a latency', {
      factor: option(decimal(1.1, 1000), "times the median endpoint's", 3),
      minimumRequests: option(
        integer(1, 1_000_000),
        'requests of an interval that it takes to be compared',
        100,
      ),
    }),
  ),
  [SWITCH],
)

/** When endpoints are put aside for what their traffic shows. */
export const outlierDetection = shorter(
  expandOutlierDetection,
  orOff(
    section('outlier detection', {
      consecutiveErrors: option(
        integerOrOff(1, 10_000),
        'gateway errors in a row: 502, 503, 504, no connection, a reset, a timeout',
        5,
      ),
      successRate: option(
        successRate,
        'endpoints whose success rate lies far below the others; with 5 endpoints or more',
        false,
      ),
      latency: option(
        latency,
        'endpoints that are far slower than the others; with 3 endpoints or more',
        false,
      ),
      interval: option(duration, 'how often success rates and latencies are compared', '10s'),
      ejection: option(
        duration,
        'how long the first ejection lasts; the n-th in a row n times as long',
        '30s',
      ),
      maxEjection: option(duration, 'how long an ejection lasts at most', '5m'),
      maxEjectedPercent: option(
        percent,
        'share of the endpoints that is put aside at most; one may always go, never the last',
        10,
      ),
    }),
  ),
  [SWITCH],
)

const ratio = scalar<number>({ type: 'number', exclusiveMinimum: 0, maximum: 1 }, 0.5, (value, shown) => {
  const number = typeof value === 'string' && /^[01](\.\d+)?$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && number > 0 && number <= 1) return number
  return new Wrong(
    `expected a ratio above 0 and up to 1, got ${shown}`,
    typeof number === 'number' && number > 1 && number <= 100 ? `write: ${number / 100}` : undefined,
  )
})

/** When requests are refused at once because the upstream fails. */
export const circuitBreaker = shorter(
  expandCircuitBreaker,
  orOff(
    section('a circuit breaker', {
      failureThreshold: option(integer(1, 1_000_000), 'failures in a row that open it', 5),
      failureRatio: option(
        ratio,
        'share of failures in `window` that opens it, instead of `failureThreshold`',
      ),
      window: option(duration, 'with `failureRatio`: what is looked at', '10s'),
      minimumRequests: option(integer(1, 1_000_000), 'with `failureRatio`: requests that it takes', 20),
      openFor: option(duration, 'how long it stays open until it lets a probe through', '30s'),
      halfOpenRequests: option(integer(1, 1000), 'probes let through while half open', 1),
      scope: option(
        oneOf(['upstream', 'endpoint']),
        'one for the upstream, or one for each endpoint, of which open ones are passed over',
        'upstream',
      ),
    }),
  ),
  [SWITCH],
)
