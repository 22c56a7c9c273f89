import type { Pod } from './pod.ts'
import { annotationsOf } from './pod.ts'
import { Skip } from './report.ts'

/** Containers and ports: far more than a pod has. Whoever may create pods must not keep the webhook busy for minutes. */
const MOST_PARTS = 512
/** Bytes of all annotations of an object, names and values; Kubernetes refuses more. */
const MOST_ANNOTATIONS = 262_144

/** Why a pod has more parts than are looked at, or null. */
export function tooManyParts({ spec }: Pod): Skip | null {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])]
  const parts = containers.reduce((sum, { ports }) => sum + 1 + (ports?.length ?? 0), 0)
  if (parts <= MOST_PARTS) return null
  return new Skip('too_large', `it has ${parts} containers and ports, and ${MOST_PARTS} are the most`)
}

/** Why Kubernetes would refuse the pod for what the injector wrote into it, or null. */
export function tooLongAnnotations(pod: Pod): Skip | null {
  const bytes = Object.entries(annotationsOf(pod)).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  )
  if (bytes <= MOST_ANNOTATIONS) return null
  return new Skip(
    'too_large',
    `its annotations would be ${bytes} bytes long with the configuration of the sidecar, and Kubernetes takes ${MOST_ANNOTATIONS}`,
  )
}
