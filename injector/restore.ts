import type { Container, Pod } from './pod.ts'
import { GENERATED, INJECTED } from './annotations.ts'
import { annotationsOf } from './pod.ts'
import { CAPTURE, SIDECAR, VOLUME } from './selection.ts'

/** A value as it was: what is absent and what is empty are not the same. */
type Was = { readonly value: unknown } | 'absent'

/** What the annotation keeps for the way back: only what was touched. */
interface Undo {
  readonly version: 1
  readonly mode: 'native' | 'classic'
  /** Annotations beside the two of ours. */
  readonly annotations: readonly string[]
  /** Fields as they were, where nothing else can say it: those of the pod by their path. */
  readonly pod: Readonly<Record<string, Was>>
  /** By container: fields that were replaced, and variables that were added. */
  readonly containers: Readonly<Record<string, ContainerUndo>>
}

interface ContainerUndo {
  readonly fields?: Readonly<Record<string, Was>>
  readonly env?: {
    readonly added: readonly string[]
    readonly empty?: Was
  }
}

const FIELDS = ['ports', 'readinessProbe', 'livenessProbe', 'startupProbe', 'lifecycle'] as const

const was = (owner: object | null | undefined, key: string): Was =>
  owner != null && Object.hasOwn(owner, key) ? { value: (owner as Record<string, unknown>)[key] } : 'absent'

const isEmpty = (value: unknown): boolean => value == null || Object.keys(value).length === 0

/** What leads from the changed pod back to the one before, as the text of the annotation. */
export function undoOf(before: Pod, after: Pod, mode: 'native' | 'classic'): string {
  const pod: Record<string, Was> = {}
  if (isEmpty(before.metadata)) pod['metadata'] = was(before, 'metadata')
  if (isEmpty(before.metadata?.annotations)) pod['annotations'] = was(before.metadata, 'annotations')
  if (isEmpty(before.spec.volumes)) pod['volumes'] = was(before.spec, 'volumes')
  const brought =
    mode === 'native' || after.spec.initContainers?.some(({ name }) => name === CAPTURE) === true
  if (brought && isEmpty(before.spec.initContainers))
    pod['initContainers'] = was(before.spec, 'initContainers')
  if (before.spec.securityContext !== after.spec.securityContext)
    pod['securityContext'] = was(before.spec, 'securityContext')
  const containers: Record<string, ContainerUndo> = {}
  const now = new Map(
    [...after.spec.containers, ...(after.spec.initContainers ?? [])].map(one => [one.name, one]),
  )
  for (const container of [...before.spec.containers, ...(before.spec.initContainers ?? [])]) {
    const undo = containerUndo(container, now.get(container.name) ?? container)
    if (!isEmpty(undo)) containers[container.name] = undo
  }
  const added = Object.keys(annotationsOf(after)).filter(name => !(name in annotationsOf(before)))
  const annotations = added.filter(name => name !== GENERATED && name !== INJECTED)
  const undo: Undo = { version: 1, mode, annotations, pod, containers }
  return JSON.stringify(undo)
}

function containerUndo(before: Container, after: Container): ContainerUndo {
  const changed = FIELDS.filter(field => before[field] !== after[field])
  const fields: Record<string, Was> = Object.fromEntries(changed.map(field => [field, was(before, field)]))
  const old = before.env ?? []
  const added = (after.env ?? []).slice(old.length).map(({ name }) => name)
  const isAppended = old.every((one, index) => after.env?.[index] === one)
  if (before.env !== after.env && !isAppended) fields['env'] = was(before, 'env')
  const env = { added, ...(isEmpty(before.env) ? { empty: was(before, 'env') } : {}) }
  return {
    ...(isEmpty(fields) ? {} : { fields }),
    ...(before.env === after.env || !isAppended ? {} : { env }),
  }
}

/**
 * Takes the sidecar out again.
 * @returns the pod as it was; the same pod where there is none; or why there is no way back
 */
export function restore(pod: Pod): Pod | string {
  const text = annotationsOf(pod)[INJECTED]
  if (text === undefined) return pod
  const undo = readUndo(text)
  if (undo === null) return `the annotation ${INJECTED} is not what the injector wrote`
  const gone = new Set([GENERATED, INJECTED, ...undo.annotations])
  const annotations = Object.fromEntries(
    Object.entries(annotationsOf(pod)).filter(([name]) => !gone.has(name)),
  )
  const back = (list: readonly Container[]): Container[] =>
    list
      .filter(({ name }) => name !== SIDECAR && name !== CAPTURE)
      .map(one => restoreContainer(one, undo.containers[one.name]))
  let spec: Record<string, unknown> = { ...pod.spec, containers: back(pod.spec.containers) }
  if (pod.spec.initContainers != null)
    spec = withList(spec, 'initContainers', back(pod.spec.initContainers), undo.pod['initContainers'])
  const volumes = (pod.spec.volumes ?? []).filter(({ name }) => name !== VOLUME)
  spec = withList(spec, 'volumes', volumes, undo.pod['volumes'])
  const security = undo.pod['securityContext']
  if (security !== undefined) spec = withField(spec, 'securityContext', security)
  const metadata = withList({ ...pod.metadata }, 'annotations', annotations, undo.pod['annotations'])
  const whole = withList({ ...pod, spec }, 'metadata', metadata, undo.pod['metadata'])
  // The pieces come from the pod and from what was a pod.
  return whole as Pod
}

function readUndo(text: string): Undo | null {
  try {
    // Checked as far as it is read; the annotation is the injector's own.
    const undo = JSON.parse(text) as Partial<Undo> | null
    const isWhole =
      undo?.version === 1 && Array.isArray(undo.annotations) && undo.pod != null && undo.containers != null
    return isWhole ? (undo as Undo) : null
  } catch {
    return null
  }
}

function restoreContainer(container: Container, undo: ContainerUndo | undefined): Container {
  if (undo === undefined) return container
  let back: Record<string, unknown> = container
  for (const [field, old] of Object.entries(undo.fields ?? {})) back = withField(back, field, old)
  const { env } = undo
  if (env !== undefined) {
    const added = new Set(env.added)
    const list = (container.env ?? []).filter(({ name }) => !added.has(name))
    back = withList(back, 'env', list, env.empty)
  }
  // As above.
  return back as Container
}

/** Sets a list or map; where nothing of it is left, what was there before. */
function withList(
  owner: Record<string, unknown>,
  key: string,
  value: object,
  empty: Was | undefined,
): Record<string, unknown> {
  return isEmpty(value) && empty !== undefined ? withField(owner, key, empty) : { ...owner, [key]: value }
}

function withField(owner: Record<string, unknown>, key: string, old: Was): Record<string, unknown> {
  if (old !== 'absent') return { ...owner, [key]: old.value }
  return Object.fromEntries(Object.entries(owner).filter(([name]) => name !== key))
}
