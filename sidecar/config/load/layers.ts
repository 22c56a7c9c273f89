import type { ConfigError } from '../config-error.ts'
import { faultAt, pathText } from './fault.ts'
import { isConfigMap, LayerMerge, putKey } from './merge.ts'
import type { ConfigMap, Container, Origins, Spot } from './origin.ts'
import type { Document, Sources } from './sources.ts'

/** Joins the files of a configuration and lays the overlays over them: one map, in which every place is still known. */
export function joinLayers({ bases, overlays }: Sources, origins: Origins, errors: ConfigError[]): ConfigMap {
  let root = new Join(origins, errors).documents(bases)
  for (const overlay of overlays) {
    const over = ownKeys(overlay.value, origins)
    if (Object.hasOwn(over, 'version')) {
      errors.push(
        faultAt(origins.find(over, ['version'], 'key'), 'an overlay has no `version`', { path: 'version' }),
      )
      continue
    }
    root = new LayerMerge(origins, errors, over).map(root, over, [])
  }
  return root
}

/** A document without the top-level keys that are homes for anchors, and with its listeners and routes as lists. */
function ownKeys(value: ConfigMap, origins: Origins): ConfigMap {
  const result: ConfigMap = {}
  for (const [key, one] of Object.entries(value)) if (!key.startsWith('x-')) putKey(result, key, one)
  const listeners = asList(result, 'listeners', origins, value)
  if (listeners !== null) {
    const lists = listeners.map(listener =>
      isConfigMap(listener) ? withRouteList(listener, origins) : listener,
    )
    origins.listed(
      lists,
      listeners.map((_, index) => [listeners, index] as const),
    )
    result['listeners'] = lists
  }
  origins.layered(result, [value])
  return result
}

function withRouteList(listener: ConfigMap, origins: Origins): ConfigMap {
  if (!isConfigMap(listener['routes'])) return listener
  const result = { ...listener }
  asList(result, 'routes', origins, listener)
  origins.layered(result, [listener])
  return result
}

function asList(map: ConfigMap, key: string, origins: Origins, from: Container): unknown[] | null {
  const value = map[key]
  if (Array.isArray(value)) return value
  if (!isConfigMap(value)) return null
  const list = [value]
  origins.listed(list, [[from, key]])
  map[key] = list
  return list
}

/** Several files as one: sections are joined, a listener may bring routes in each; anything else given twice is an error. */
class Join {
  readonly #origins: Origins
  readonly #errors: ConfigError[]
  constructor(origins: Origins, errors: ConfigError[]) {
    this.#origins = origins
    this.#errors = errors
  }

  documents(bases: readonly Document[]): ConfigMap {
    const root: ConfigMap = {}
    const parts: ConfigMap[] = []
    for (const base of bases) {
      const part = ownKeys(base.value, this.#origins)
      parts.push(part)
      if (!Object.hasOwn(part, 'version')) {
        this.#errors.push(
          faultAt({ file: base.file, offset: 0 }, '`version` is missing: every file says `version: 1`', {
            path: 'version',
          }),
        )
        // Said once, here; the schema has nothing to add.
        part['version'] = 1
      }
      for (const [key, value] of Object.entries(part)) {
        if (key === 'version') root['version'] = value
        else if (!Object.hasOwn(root, key)) putKey(root, key, value)
        else putKey(root, key, this.#section(root[key], value, part, key, this.#first(parts, key)))
      }
    }
    this.#origins.layered(root, parts)
    return root
  }

  /** Where a top-level key was given first. */
  #first(parts: readonly ConfigMap[], key: string): Spot | undefined {
    const first = parts.find(part => Object.hasOwn(part, key))
    return first && this.#origins.find(first, [key], 'key')
  }

  #section(before: unknown, value: unknown, part: ConfigMap, key: string, first: Spot | undefined): unknown {
    if (key === 'listeners' && Array.isArray(before) && Array.isArray(value))
      return this.#listeners(before, value, part)
    if (Array.isArray(before) && Array.isArray(value)) return this.#concat(before, value)
    if (isConfigMap(before) && isConfigMap(value)) return this.#map(before, value, part, [key])
    this.#twice(part, [key], `\`${key}\``, first)
    return before
  }

  #map(before: ConfigMap, value: ConfigMap, part: ConfigMap, path: (string | number)[]): ConfigMap {
    const result: ConfigMap = {}
    for (const [key, one] of Object.entries(before)) putKey(result, key, one)
    for (const [key, one] of Object.entries(value)) {
      if (Object.hasOwn(before, key))
        this.#twice(part, [...path, key], `\`${key}\``, this.#origins.find(before, [key], 'key'))
      else putKey(result, key, one)
    }
    this.#origins.layered(result, [before, value])
    return result
  }

  #concat(before: unknown[], value: unknown[]): unknown[] {
    const result = [...before, ...value]
    this.#origins.listed(result, [
      ...before.map((_, index) => [before, index] as const),
      ...value.map((_, index) => [value, index] as const),
    ])
    return result
  }

  #listeners(before: unknown[], value: unknown[], part: ConfigMap): unknown[] {
    const result = [...before]
    const from: (readonly [Container, number])[] = before.map((_, index) => [before, index] as const)
    for (const [index, one] of value.entries()) {
      const at = result.findIndex(
        other => isConfigMap(one) && isConfigMap(other) && one['name'] === other['name'],
      )
      const other = result[at]
      if (!isConfigMap(one) || !isConfigMap(other)) {
        result.push(one)
        from.push([value, index])
        continue
      }
      const path = ['listeners', index]
      const { name: _, routes, ...rest } = one
      const merged = this.#map(other, rest, part, path)
      if (Array.isArray(routes))
        merged['routes'] = Array.isArray(other['routes']) ? this.#concat(other['routes'], routes) : routes
      this.#origins.layered(merged, [other, one])
      result[at] = merged
    }
    this.#origins.listed(result, from)
    return result
  }

  #twice(part: ConfigMap, path: (string | number)[], what: string, first: Spot | undefined): void {
    const place = first?.file.place(first.offset)
    const where = place === undefined ? 'another file' : `${place.file}:${place.line}`
    this.#errors.push(
      faultAt(
        this.#origins.find(part, path, 'key'),
        `${what} is given twice: it stands in ${where} already`,
        { path: pathText(path) },
      ),
    )
  }
}
