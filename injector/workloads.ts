/** A value of a document. */
export type Tree = Readonly<Record<string, unknown>>

/** A pod, or the template of one, in an object of Kubernetes. */
export interface PodPlace {
  /** Such as `Deployment/orders`. */
  readonly name: string
  readonly namespace: string | null
  /** Where it stands in the object. */
  readonly path: readonly (string | number)[]
  readonly pod: unknown
}

const TEMPLATE = ['spec', 'template']
const PATHS: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ['template'],
  ReplicationController: TEMPLATE,
  ReplicaSet: TEMPLATE,
  Deployment: TEMPLATE,
  StatefulSet: TEMPLATE,
  DaemonSet: TEMPLATE,
  Job: TEMPLATE,
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
}

/** The groups that these kinds belong to: a kind of the same name elsewhere is another one. */
const GROUPS = /^(?:v1|apps\/.+|extensions\/.+|batch\/.+)$/

/** The pods of an object, and of the items of a List. None in a kind that is not known. */
export function podsOf(object: unknown, path: readonly (string | number)[] = []): PodPlace[] {
  if (!isTree(object)) return []
  const kind = text(object['kind']) ?? ''
  if (Array.isArray(object['items']) && kind.endsWith('List'))
    return object['items'].flatMap((item, index) => podsOf(item, [...path, 'items', index]))
  const inner = Object.hasOwn(PATHS, kind) ? PATHS[kind] : undefined
  if (inner === undefined || !GROUPS.test(text(object['apiVersion']) ?? '')) return []
  const metadata = isTree(object['metadata']) ? object['metadata'] : {}
  const name = text(metadata['name']) ?? `${text(metadata['generateName']) ?? ''}*`
  let pod: unknown = object
  for (const key of inner) pod = isTree(pod) ? pod[key] : undefined
  return [{ name: `${kind}/${name}`, namespace: text(metadata['namespace']), path: [...path, ...inner], pod }]
}

/** The objects of some kind in an object, which may be a List. */
export function objectsOf(object: unknown, kind: string): Tree[] {
  if (!isTree(object)) return []
  if (Array.isArray(object['items'])) return object['items'].flatMap(item => objectsOf(item, kind))
  return object['kind'] === kind ? [object] : []
}

/** An object with another value at a path; the one that was given stays. */
export function withValue(object: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (Array.isArray(object))
    return object.map((item, index) => (index === key ? withValue(item, rest, value) : item))
  if (!isTree(object)) return object
  return { ...object, [key]: withValue(object[key], rest, value) }
}

/** Whether a value is a map. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
