/** An object as the fake API server keeps it. */
export interface StoredObject {
  readonly metadata?: {
    readonly name?: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly [key: string]: unknown
  }
  readonly [key: string]: unknown
}

/** A change, with what was there before and what is there now. */
export interface StoredChange {
  readonly version: number
  readonly path: string
  readonly before: StoredObject | null
  readonly after: StoredObject | null
}

/** Where a path of the API leads. */
export interface ApiPlace {
  /** `/api/v1` or `/apis/GROUP/VERSION`. */
  readonly group: string
  readonly resource: string
  /** Empty: of no namespace, or of all. */
  readonly namespace: string
  /** Empty: the collection. */
  readonly name: string
}

/** Takes a path of the API apart. @returns null for one that is none, subresources too */
export function placeOf(path: string): ApiPlace | null {
  const match = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)\/(.+)$/.exec(path)
  if (match === null) return null
  const [, group = '', rest = ''] = match
  const parts = rest.split('/').map(decodeURIComponent)
  if (parts.includes('')) return null
  const [first = '', second = '', third = '', fourth = ''] = parts
  if (parts.length <= 2) return { group, resource: first, namespace: '', name: second }
  if (first !== 'namespaces' || parts.length > 4) return null
  return { group, resource: third, namespace: second, name: fourth }
}

/** What objects there say of themselves: `v1`, `discovery.k8s.io/v1`. */
export function versionOf({ group }: ApiPlace): string {
  return group.replace(/^\/apis?\//, '')
}

/** The objects of a fake API server by their path, and the history of their changes. */
export class FakeKubernetesStore {
  readonly #objects = new Map<string, StoredObject>()
  #history: StoredChange[] = []
  #version = 1000
  /** The oldest version from which a watch can go on. */
  #oldest = 1000
  readonly #watchers = new Set<(change: StoredChange) => void>()

  get version(): number {
    return this.#version
  }

  get(path: string): StoredObject | undefined {
    return this.#objects.get(path)
  }

  /** Keeps an object, which gets a new resource version, and a uid with its first. */
  put(path: string, object: StoredObject): StoredObject {
    const before = this.#objects.get(path) ?? null
    this.#version++
    const kept: StoredObject = {
      ...object,
      metadata: {
        ...object.metadata,
        name: placeOf(path)?.name ?? '',
        ...(placeOf(path)?.namespace ? { namespace: placeOf(path)?.namespace } : {}),
        uid: before?.metadata?.['uid'] ?? `uid-${this.#version}`,
        resourceVersion: String(this.#version),
      },
    }
    this.#objects.set(path, kept)
    this.#changed({ version: this.#version, path, before, after: kept })
    return kept
  }

  /** @returns whether it was there */
  remove(path: string): boolean {
    const before = this.#objects.get(path)
    if (before === undefined) return false
    this.#version++
    this.#objects.delete(path)
    const last = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.#version) } }
    this.#changed({ version: this.#version, path, before: last, after: null })
    return true
  }

  /** The objects of a collection in the order of their paths. */
  list(place: ApiPlace): [path: string, object: StoredObject][] {
    return [...this.#objects].filter(([path]) => within(path, place)).toSorted(([a], [b]) => (a < b ? -1 : 1))
  }

  /** The changes of a collection behind a version; null: they are forgotten. */
  since(place: ApiPlace, version: number): StoredChange[] | null {
    if (version < this.#oldest) return null
    return this.#history.filter(change => change.version > version && within(change.path, place))
  }

  /** Forgets the history, as etcd's compaction does: whoever is not at the newest version has to list anew. */
  compact(): void {
    this.#version++
    this.#oldest = this.#version
    this.#history = []
  }

  /** @returns ends it */
  watch(place: ApiPlace, heard: (change: StoredChange) => void): () => void {
    const watcher = (change: StoredChange): void => {
      if (within(change.path, place)) heard(change)
    }
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  #changed(change: StoredChange): void {
    this.#history.push(change)
    for (const watcher of [...this.#watchers]) watcher(change)
  }
}

function within(path: string, place: ApiPlace): boolean {
  const at = placeOf(path)
  return (
    at !== null &&
    at.group === place.group &&
    at.resource === place.resource &&
    (place.namespace === '' || at.namespace === place.namespace)
  )
}

/** What a selector asks of an object. */
export type Selects = (object: StoredObject) => boolean

/** Reads `labelSelector` and `fieldSelector`. @returns null for what it does not know */
export function selectorOf(labels: string, fields: string): Selects | null {
  const tests: Selects[] = []
  for (const term of labels.split(',').filter(one => one !== '')) {
    const match = /^(!?)([\w./-]+)(?:\s*(==?|!=)\s*([\w.-]*))?$/.exec(term.trim())
    if (match === null) return null
    const [, not = '', key = '', operator = '', wanted = ''] = match
    tests.push(({ metadata }) => {
      const value = metadata?.labels?.[key]
      if (operator === '') return (value === undefined) === (not === '!')
      return (value === wanted) === (operator !== '!=')
    })
  }
  for (const term of fields.split(',').filter(one => one !== '')) {
    const [key = '', value = ''] = term.split('=')
    if (key !== 'metadata.name') return null
    tests.push(({ metadata }) => metadata?.name === value)
  }
  return object => tests.every(test => test(object))
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const merged = new Map<string, unknown>(
    typeof target === 'object' && target !== null && !Array.isArray(target) ? Object.entries(target) : [],
  )
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, mergePatch(merged.get(key), value))
  }
  return Object.fromEntries(merged)
}

/** RFC 6902. @throws Error where an operation does not fit, as `test` does */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new Error('a JSON patch is a list')
  let root = { '': structuredClone(target) } as Record<string, unknown>
  for (const { op, path, from, value } of patch as Operation[]) {
    const moved = from === undefined ? value : structuredClone(valueAt(root, from))
    if (op === 'move' && from !== undefined) change(root, from, 'remove', undefined)
    if (op === 'test') {
      if (JSON.stringify(valueAt(root, path)) !== JSON.stringify(value)) throw new Error(`test ${path}`)
    } else if (path === '') root = { '': moved }
    else change(root, path, op, moved)
  }
  return root['']
}

interface Operation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test'
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

type Container = Record<string, unknown> | unknown[]

function keysOf(path: string): string[] {
  return path.split('/').map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function valueAt(root: Record<string, unknown>, path: string): unknown {
  return keysOf(path).reduce<unknown>((at, key) => {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) throw new Error(`no ${path}`)
    return (at as Record<string, unknown>)[key] // a list's index is a key of it too
  }, root)
}

function change(root: Record<string, unknown>, path: string, op: Operation['op'], value: unknown): void {
  const key = keysOf(path).at(-1) ?? ''
  const at = valueAt(root, path.slice(0, path.lastIndexOf('/'))) as Container // else `valueAt` threw
  if (op !== 'add' && op !== 'move' && op !== 'copy' && !Object.hasOwn(at, key)) throw new Error(`no ${path}`)
  if (!Array.isArray(at)) {
    if (op === 'remove') Reflect.deleteProperty(at, key)
    else Object.defineProperty(at, key, { value, enumerable: true, writable: true, configurable: true })
    return
  }
  const index = key === '-' ? at.length : Number(key)
  if (!Number.isInteger(index) || index < 0 || index > at.length) throw new Error(`no ${path}`)
  if (op === 'remove') at.splice(index, 1)
  else at.splice(index, op === 'replace' ? 1 : 0, value)
}
