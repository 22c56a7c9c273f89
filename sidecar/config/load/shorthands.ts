import type { ConfigMap, Origins } from './origin.ts'
import { Referenced } from './referenced.ts'

/** What a value stands for where a shorter spelling is allowed. The same functions serve the schema and the merge of layers. */
const EXPANSIONS: Readonly<Record<string, (value: unknown) => unknown>> = {
  timeout: expandTimeout,
  retry: expandRetry,
  upgrade: expandUpgrade,
  accessLog: expandAccessLog,
  authorize: expandAuthorize,
  mirror: expandUpstream,
  affinity: expandAffinity,
  fallback: expandUpstream,
  loadBalance: expandLoadBalance,
  healthCheck: expandHealthCheck,
  outlierDetection: expandOutlierDetection,
  circuitBreaker: expandCircuitBreaker,
  rateLimit: expandRateLimit,
}

/** The value under `key`, expanded, with its place remembered. */
export function expandShorthand(map: ConfigMap, key: string, origins: Origins): unknown {
  const value = map[key]
  const expanded = Object.hasOwn(EXPANSIONS, key) ? EXPANSIONS[key]?.(value) : value
  // What an expansion makes is a map or a list of its own.
  if (expanded !== value && typeof expanded === 'object' && expanded !== null)
    origins.derived(expanded as ConfigMap, map, key)
  return expanded
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof Referenced)
}

/** The value itself, also where it came from a reference: what decides between spellings. */
function given(value: unknown): unknown {
  return value instanceof Referenced ? value.text : value
}

/** `10s` is `{ total: 10s }`; `on` is the defaults, written out; `off` is false. */
export function expandTimeout(value: unknown): unknown {
  switch (typeof given(value)) {
    case 'string':
      return given(value) === 'off' ? false : { total: value }
    case 'number':
      return { total: value }
    case 'boolean':
      return value === true
        ? { total: '15s', perTry: false, firstByte: false, idle: '5m', stream: false, header: false }
        : false
    default:
      return value
  }
}

/** `2` is `{ count: 2 }`; `on` is the defaults, written out; `off` is false. */
export function expandRetry(value: unknown): unknown {
  const plain = given(value)
  if (plain === true || plain === 'on')
    return {
      count: 1,
      statuses: ['default'],
      methods: ['default'],
      headers: [],
      backoff: { from: '25ms', to: '250ms' },
      budget: { percent: 20, min: 3 },
      replay: '64KiB',
      hedge: false,
    }
  if (plain === false || plain === 'off') return false
  return typeof plain === 'number' || typeof plain === 'string' ? { count: value } : value
}

/** `on` is WebSocket, `off` nothing, a name or names what may be upgraded to, settings of WebSocket are WebSocket. */
export function expandUpgrade(value: unknown): unknown {
  const plain = given(value)
  if (plain === true || plain === 'on') return { protocols: ['websocket'] }
  if (plain === false || plain === 'off') return false
  if (typeof plain === 'string') return { protocols: [value] }
  if (Array.isArray(value)) return { protocols: value }
  if (!isMap(value) || Object.hasOwn(value as object, 'protocols')) return value
  const { websocket } = value as ConfigMap
  if (websocket === false || websocket === 'off') return false
  return { protocols: ['websocket'], ...(value as ConfigMap) }
}

/** A name is the upstream. */
export function expandUpstream(value: unknown): unknown {
  const plain = given(value)
  if (plain === false || plain === 'off') return false
  return typeof plain === 'string' ? { upstream: value } : value
}

/** Text is an expression. */
export function expandAuthorize(value: unknown): unknown {
  const plain = given(value)
  if (plain === false || plain === 'off') return false
  return typeof plain === 'string' ? { when: value } : value
}

/** `on` is a cookie of the browser's session. */
export function expandAffinity(value: unknown): unknown {
  return switched(value, { cookie: 'og', maxAge: false })
}

/** A word is the policy. */
export function expandLoadBalance(value: unknown): unknown {
  return isMap(value) || value === null ? value : { policy: value }
}

/** Text is the path of an HTTP check. */
export function expandHealthCheck(value: unknown): unknown {
  const plain = given(value)
  if (plain === false || plain === 'off') return false
  return typeof plain === 'string' ? { path: value } : value
}

/** `on` is the defaults, written out. */
export function expandOutlierDetection(value: unknown): unknown {
  return switched(value, {
    consecutiveErrors: 5,
    successRate: false,
    latency: false,
    interval: '10s',
    ejection: '30s',
    maxEjection: '5m',
    maxEjectedPercent: 10,
  })
}

/** `on` is the defaults, written out. */
export function expandCircuitBreaker(value: unknown): unknown {
  return switched(value, { failureThreshold: 5, openFor: '30s', halfOpenRequests: 1, scope: 'upstream' })
}

/** A limit, or a list of them, is what it is about; `off` is false. */
export function expandRateLimit(value: unknown): unknown {
  const plain = given(value)
  if (plain === false || plain === 'off') return false
  if (Array.isArray(value)) return { limits: value }
  if (!isMap(value)) return value
  const { limits, headers, dryRun } = value as ConfigMap
  if (limits === undefined && headers === undefined && dryRun === undefined) return { limits: [value] }
  return isMap(limits) && !Array.isArray(limits) ? { ...(value as ConfigMap), limits: [limits] } : value
}

/** `on` for a map whose keys all have defaults, inside of another. */
export function expandMember(value: unknown): unknown {
  return switched(value, {})
}

function switched(value: unknown, defaults: ConfigMap): unknown {
  // A reference that is left alone may be `off`, which needs nothing else.
  if (value instanceof Referenced && !value.resolved) return false
  const plain = given(value)
  if (plain === true || plain === 'on') return { ...defaults }
  return plain === 'off' ? false : value
}

/** `on`, `off` and `errors` say what is written. */
export function expandAccessLog(value: unknown): unknown {
  const plain = given(value)
  return typeof plain === 'boolean' || typeof plain === 'string' ? { write: value } : value
}
