import { isConfigMap, putKey } from './merge.ts'
import type { ConfigMap } from './origin.ts'

type Path = readonly (string | number)[]

/**
 * A copy of a configuration without what the schema refused, so that what is left can be checked for other errors. A
 * member of a list takes the whole list with it: the others would change their places.
 */
export function without(root: ConfigMap, paths: readonly Path[]): ConfigMap {
  const copy = copyOf(root)
  for (const path of paths) remove(copy, path)
  return copy
}

/** Takes away the deepest key on the path that is there: of a shorthand only the shorthand itself is. */
function remove(root: ConfigMap, path: Path): void {
  let container: unknown = root
  let holder: ConfigMap | null = null
  let last = ''
  for (const key of path) {
    if (Array.isArray(container)) container = container[Number(key)]
    else if (!isConfigMap(container)) break
    else if (Object.hasOwn(container, key)) {
      holder = container
      last = String(key)
      container = container[key]
      // One value stands for a list of one.
    } else if (key !== 0) break
  }
  if (holder !== null) delete holder[last]
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
