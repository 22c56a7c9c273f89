import { isDeepStrictEqual } from 'node:util'
import type { Tree } from '../workloads.ts'
import { isTree } from '../workloads.ts'

/** One step of a patch (RFC 6902 section 4). */
export type PatchStep =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }

/**
 * What leads from one JSON value to another: only what differs, and lists by their elements, so that others who change
 * the pod at the same time meet few of the same places. A member that is `undefined` is one that is not there.
 */
export function patchOf(before: unknown, after: unknown): PatchStep[] {
  const steps: PatchStep[] = []
  compare(before, after, '', steps)
  return steps
}

function compare(before: unknown, after: unknown, path: string, steps: PatchStep[]): void {
  if (before === after) return
  if (isTree(before) && isTree(after)) compareMaps(before, after, path, steps)
  else if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, steps)
  else if (!isDeepStrictEqual(before, after)) steps.push({ op: 'replace', path, value: after })
}

function compareMaps(before: Tree, after: Tree, path: string, steps: PatchStep[]): void {
  for (const key of keysOf(before)) {
    if (!has(after, key)) steps.push({ op: 'remove', path: below(path, key) })
  }
  for (const key of keysOf(after)) {
    const inner = below(path, key)
    if (has(before, key)) compare(before[key], after[key], inner, steps)
    else steps.push({ op: 'add', path: inner, value: after[key] })
  }
}

/**
 * Lists begin and end alike mostly: what is in between was taken out or put in. First elements go, from the last so
 * that the numbers of the others stay; then new ones come; then every index is that of the list to be.
 */
function compareLists(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  steps: PatchStep[],
): void {
  const most = Math.min(before.length, after.length)
  let first = 0
  while (first < most && isSame(before[first], after[first])) first++
  let last = 0
  while (last < most - first && isSame(before.at(-1 - last), after.at(-1 - last))) last++
  // As many went as came: these are elements that changed.
  const gone = before.length - first - last
  const come = after.length - first - last
  const changed = Math.min(gone, come)
  for (let index = first + gone - 1; index >= first + changed; index--)
    steps.push({ op: 'remove', path: below(path, index) })
  for (let index = first + changed; index < first + come; index++)
    steps.push({ op: 'add', path: below(path, index), value: after[index] })
  for (const [index, value] of after.entries()) {
    if (index >= first + changed && index < first + come) continue
    const old = index < first + changed ? index : index - come + gone
    compare(before[old], value, below(path, index), steps)
  }
}

/** Whether two elements are one, perhaps changed: containers, ports, volumes and variables have names. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (!isTree(one) || !isTree(other)) return isDeepStrictEqual(one, other)
  if (typeof one['name'] !== 'string' && typeof other['name'] !== 'string')
    return isDeepStrictEqual(one, other)
  return one['name'] === other['name']
}

const has = (map: Tree, key: string): boolean => Object.hasOwn(map, key) && map[key] !== undefined

const keysOf = (map: Tree): string[] => Object.keys(map).filter(key => map[key] !== undefined)

/** RFC 6901 section 3. */
const below = (path: string, key: string | number): string =>
  `${path}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
