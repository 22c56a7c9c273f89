import { isConfigMap, putKey } from './merge.ts'
import type { ConfigMap } from './origin.ts'
import { Referenced } from './referenced.ts'

type Path = readonly (string | number)[]

/** What stands where something has to: as a reference that is left alone, it may be of any type. */
const STAND_IN = new Referenced('', '', false)

/**
 * A copy of a configuration without what the schema refused, so that what is left can be checked for other errors: a
 * key that is missing gets a stand-in, of what is wrong the deepest key that is there is taken away (of a shorthand only
 * the shorthand itself is). A member of a list takes the whole list with it: the others would change their places.
 */
export function without(root: ConfigMap, paths: readonly Path[]): ConfigMap {
  const copy = copyOf(root)
  for (const path of paths) {
    const { container, rest } = walk(root, path)
    const left = walk(copy, path)
    // Another path took it away before.
    if (left.rest.length !== rest.length) continue
    if (rest.length === 1 && isConfigMap(container)) complete(copy, [path])
    else if (left.holder !== null) delete left.holder[left.last]
  }
  return copy
}

/** Puts a stand-in where the schema still misses a key after what it refused was taken away. In place. */
export function complete(partial: ConfigMap, paths: readonly Path[]): void {
  for (const path of paths) {
    const { container, rest } = walk(partial, path)
    const [key, further] = rest
    if (isConfigMap(container) && key !== undefined && further === undefined)
      putKey(container, String(key), STAND_IN)
  }
}

/** Goes along a path as far as it is there; `rest` is what is not, `holder[last]` the deepest key that is. */
function walk(
  root: ConfigMap,
  path: Path,
): { container: unknown; rest: Path; holder: ConfigMap | null; last: string } {
  let container: unknown = root
  let holder: ConfigMap | null = null
  let last = ''
  for (const [index, key] of path.entries()) {
    if (Array.isArray(container)) container = container[Number(key)]
    else if (isConfigMap(container) && Object.hasOwn(container, key)) {
      holder = container
      last = String(key)
      container = container[key]
      // One value stands for a list of one.
    } else if (!isConfigMap(container) || key !== 0)
      return { container, rest: path.slice(index), holder, last }
  }
  return { container, rest: [], holder, last }
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
