import type { ConfigError } from '../config-error.ts'
import { faultAt, pathText } from './fault.ts'
import type { ConfigMap, Container, Origins } from './origin.ts'
import { limitName } from './limit-name.ts'
import { expandShorthand } from './shorthands.ts'
import { Referenced } from './referenced.ts'
import { didYouMean } from './suggestion.ts'

/** Sets a key as plain data, whatever it is called: `__proto__` is a key like any other. */
export function putKey(map: ConfigMap, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
  else map[key] = value
}

/** Whether a value is a map of the configuration (a plain object, not a list and not a referenced value). */
export function isConfigMap(value: unknown): value is ConfigMap {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Alternatives: giving one of a group takes the others away. */
const ACTIONS = ['upstream', 'split', 'versions', 'redirect', 'respond', 'aggregate', 'routes', 'upstreams']
const PATHS = ['stripPrefix', 'path']
const SOURCES = ['url', 'endpoints', 'discovery']
/** Keys whose value replaces as a whole, by the key of the map around them (`*`: anywhere). */
const WHOLE = new Set([
  'redirect',
  'respond',
  'authenticate',
  'path',
  'split',
  'versions',
  'aggregate',
  'fallback',
  'by',
])

/** Lists of which one named thing may stand for the whole list. */
const NAMED_LISTS = new Set(['listeners', 'routes', 'consumers'])

type Path = readonly (string | number)[]

/** What a circuit breaker trips on; each takes with it what only the other one knows. */
const TRIPS = ['failureThreshold', 'failureRatio', 'window', 'minimumRequests']
/** What a health check asks with, and what only some of them know. */
const CHECKS = ['path', 'grpc', 'tcp', 'host', 'statuses']
const HASHING: ReadonlySet<unknown> = new Set(['ring-hash', 'maglev'])

/** The keys that a map of a layer takes away from the one below it: alternatives to what it gives itself. */
function replacedBy(over: ConfigMap, path: Path): readonly string[] {
  const gives = (keys: readonly string[]): boolean =>
    keys.some(key => Object.hasOwn(over, key) && over[key] !== null)
  const group = (keys: readonly string[]): readonly string[] => (gives(keys) ? keys : [])
  const last = path.at(-1)
  if (last === 'rewrite') return group(PATHS)
  if (path.length === 2 && path[0] === 'upstreams') return group(SOURCES)
  if (path.length === 2 && path[0] === 'listeners') return group(ACTIONS)
  if (path.length === 4 && path[2] === 'routes') return group(ACTIONS)
  if (path.length !== 3 || path[0] !== 'upstreams') return []
  switch (last) {
    case 'circuitBreaker':
      return gives(TRIPS.slice(0, 1)) ? TRIPS : gives(['failureRatio']) ? TRIPS.slice(0, 2) : []
    case 'healthCheck':
      return gives(['path']) ? ['grpc', 'tcp'] : gives(['grpc', 'tcp']) ? CHECKS : []
    case 'loadBalance':
      return gives(['policy']) && !HASHING.has(plain(over['policy'])) ? ['by'] : []
    default:
      return []
  }
}

function plain(value: unknown): unknown {
  return value instanceof Referenced ? value.text : value
}

/** Whether the map at a path is one in which policies (or the access log) stand: `drain.timeout` is no policy. */
function holdsShorthands(path: Path): boolean {
  if (path.length === 1) return path[0] === 'defaults' || path[0] === 'telemetry'
  if (path.length === 2) return ['listeners', 'upstreams', 'consumers', 'plans'].includes(String(path[0]))
  return path.length === 4 && path[2] === 'routes'
}

/**
 * Lays one layer over another: maps merge key by key, lists of named things by name, everything else replaces. `null`
 * removes a key, `{ name: x, remove: true }` a named thing.
 */
export class LayerMerge {
  readonly #origins: Origins
  readonly #errors: ConfigError[]
  readonly #root: ConfigMap
  constructor(origins: Origins, errors: ConfigError[], root: ConfigMap) {
    this.#origins = origins
    this.#errors = errors
    this.#root = root
  }

  map(base: ConfigMap, over: ConfigMap, path: Path): ConfigMap {
    const result: ConfigMap = {}
    const replaced = replacedBy(over, path)
    for (const [key, value] of Object.entries(base)) {
      if (replaced.includes(key) && !(Object.hasOwn(over, key) && mergesItself(key))) continue
      putKey(result, key, value)
    }
    for (const [key, value] of Object.entries(over)) {
      const at = [...path, key]
      if (value === null) {
        if (!Object.hasOwn(base, key)) this.#absent(at, `\`${key}\``, Object.keys(base))
        delete result[key]
      } else if (Object.hasOwn(result, key)) {
        putKey(result, key, this.#value(base, over, key, at))
      } else {
        putKey(result, key, this.#fresh(over, key, at))
      }
    }
    this.#origins.layered(result, [base, over])
    return result
  }

  /** A value that is new: it lies over nothing, and can remove nothing. */
  #fresh(over: ConfigMap, key: string, path: Path): unknown {
    const value = over[key]
    if (isConfigMap(value) && !isWhole(path)) return this.map({}, value, path)
    return value
  }

  #value(base: ConfigMap, over: ConfigMap, key: string, path: Path): unknown {
    const expands = holdsShorthands(path.slice(0, -1))
    const lower = expands ? expandShorthand(base, key, this.#origins) : base[key]
    const upper = expands ? expandShorthand(over, key, this.#origins) : over[key]
    if (isWhole(path)) return upper
    const named = NAMED_LISTS.has(key)
    if (!named && isConfigMap(lower) && isConfigMap(upper)) return this.map(lower, upper, path)
    const nameOf = path.at(-2) === 'rateLimit' && key === 'limits' ? limitName : ownName
    const below = namedList(lower, named, nameOf)
    const above = namedList(upper, named, nameOf)
    if (below !== null && above !== null) return this.#list(below, above, path, nameOf)
    return upper
  }

  #list(base: NamedList, over: NamedList, path: Path, nameOf: NameOf): unknown[] {
    const result: unknown[] = [...base.items]
    const from: (readonly [Container, number])[] = base.items.map(
      (_, index) => [base.container, index] as const,
    )
    for (const [index, item] of over.items.entries()) {
      const name = nameOf(item)
      const at = result.findIndex(one => nameOf(one) === name)
      if (item['remove'] === true) {
        if (at === -1)
          this.#absent(
            [...path, index],
            `\`${String(name)}\``,
            base.items.map(one => String(nameOf(one))),
          )
        else {
          result.splice(at, 1)
          from.splice(at, 1)
        }
        continue
      }
      const below = result[at]
      if (isConfigMap(below)) result[at] = this.map(below, item, [...path, index])
      else {
        result.push(this.map({}, item, [...path, index]))
        from.push([over.container, index])
      }
    }
    this.#origins.listed(result, from)
    return result
  }

  #absent(path: Path, what: string, there: readonly string[]): void {
    const spot = this.#origins.find(this.#root, path, 'key')
    const suggestion = didYouMean(what.replaceAll('`', ''), there)
    this.#errors.push(
      faultAt(spot, `${what} cannot be removed here: it is not in the layers below`, {
        suggestion,
        path: pathText(path),
      }),
    )
  }
}

/** Whether what stands at a path replaces as a whole. A name of the user's own says nothing of that. */
function isWhole(path: Path): boolean {
  return path.length > 1 && path[path.length - 2] !== 'upstreams' && WHOLE.has(String(path.at(-1)))
}

function mergesItself(key: string): boolean {
  return key === 'routes'
}

interface NamedList {
  readonly items: readonly ConfigMap[]
  readonly container: Container
}

/** What a thing of a list is called, as it was written; null where it has no name. */
type NameOf = (thing: unknown) => string | null

function ownName(thing: unknown): string | null {
  return isConfigMap(thing) && typeof thing['name'] === 'string' ? thing['name'] : null
}

/** A list of named things, or one named thing that stands for such a list. */
function namedList(value: unknown, alone: boolean, nameOf: NameOf): NamedList | null {
  const isNamed = (thing: unknown): thing is ConfigMap => isConfigMap(thing) && nameOf(thing) !== null
  if (alone && isNamed(value)) return { items: [value], container: value }
  if (!Array.isArray(value) || value.length === 0 || !value.every(isNamed)) return null
  return { items: value, container: value }
}
