import { isConfigMap, putKey } from './merge.ts'
import type { ConfigMap } from './origin.ts'

type Path = readonly (string | number)[]

/**
 * A copy of a configuration without what the schema refused, so that what is left can be checked for other errors. A
 * member of a list takes the whole list with it: the others would change their places.
 */
export function without(root: ConfigMap, paths: readonly Path[]): ConfigMap {
  const copy = copyOf(root)
  for (const path of paths) {
    const keys = path.slice(0, path.findLastIndex(key => typeof key === 'string') + 1)
    let container: unknown = copy
    for (const key of keys.slice(0, -1))
      container = Array.isArray(container)
        ? container[Number(key)]
        : isConfigMap(container)
          ? container[key]
          : undefined
    const last = keys.at(-1)
    if (last !== undefined && isConfigMap(container)) delete container[last]
  }
  return copy
}

function copyOf(map: ConfigMap): ConfigMap {
  const result: ConfigMap = {}
  for (const [key, value] of Object.entries(map)) putKey(result, key, copyValue(value))
  return result
}

function copyValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyValue)
  return isConfigMap(value) ? copyOf(value) : value
}

/** Whether an error at `path` may only be there because something at `refused` was taken away. */
export function mayFollowFrom(path: string, refused: readonly Path[]): boolean {
  return refused.some(one => {
    const text = one.join('.')
    return text === path || text.startsWith(`${path}.`) || path.startsWith(`${text}.`)
  })
}
