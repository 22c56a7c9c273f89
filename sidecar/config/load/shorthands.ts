import type { ConfigMap, Origins } from './origin.ts'
import { Referenced } from './referenced.ts'

/** What a value stands for where a shorter spelling is allowed. The same functions serve the schema and the merge of layers. */
const EXPANSIONS: Readonly<Record<string, (value: unknown) => unknown>> = {
  timeout: expandTimeout,
  retry: expandRetry,
  upgrade: expandUpgrade,
  accessLog: expandAccessLog,
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
      return value === true ? { total: '15s', idle: '5m' } : false
    default:
      return value
  }
}

/** `2` is `{ count: 2 }`; `on` the default count; `off` and `0` are false. */
export function expandRetry(value: unknown): unknown {
  const plain = given(value)
  if (plain === true || plain === 'on') return { count: 1 }
  if (plain === false || plain === 'off') return false
  return typeof plain === 'number' || typeof plain === 'string' ? { count: value } : value
}

/** `on` is WebSocket, `off` nothing, a name or names what may be upgraded to. */
export function expandUpgrade(value: unknown): unknown {
  const plain = given(value)
  if (plain === true || plain === 'on') return ['websocket']
  if (plain === false || plain === 'off') return []
  return typeof plain === 'string' ? [value] : value
}

/** `on`, `off` and `errors` say what is written. */
export function expandAccessLog(value: unknown): unknown {
  const plain = given(value)
  return typeof plain === 'boolean' || typeof plain === 'string' ? { write: value } : value
}
