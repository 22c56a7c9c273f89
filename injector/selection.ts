import type { Pod } from './pod.ts'
import type { Settings } from './settings.ts'
import { INJECT, INJECTED } from './annotations.ts'
import { annotationsOf } from './pod.ts'
import { Skip } from './report.ts'

const SYSTEM_NAMESPACES = ['kube-system', 'kube-public', 'kube-node-lease']
const OTHERS = ['istio-proxy', 'linkerd-proxy', 'daprd', 'consul-dataplane']

/** The name of the sidecar's container. */
export const SIDECAR = 'outrigger'
/** The name of the container that sets the packet filter. */
export const CAPTURE = 'outrigger-capture'
/** The name of the volume with its configuration. */
export const VOLUME = 'outrigger-config'

/** Why a pod is not to be injected, or null where it is. What can never work goes before what is asked for. */
export function whyNot(pod: Pod, settings: Settings): Skip | null {
  return unfit(pod, settings) ?? unasked(pod, settings) ?? taken(pod)
}

function unfit(pod: Pod, settings: Settings): Skip | null {
  const { spec } = pod
  if (spec.hostNetwork === true)
    return new Skip('host_network', 'it uses the network of its node, whose ports are not its own')
  const namespace = pod.metadata?.namespace ?? settings.namespace.name ?? 'default'
  if (SYSTEM_NAMESPACES.includes(namespace))
    return new Skip('ignored_namespace', `${namespace} belongs to the cluster`)
  if (namespace === settings.ownNamespace)
    return new Skip('ignored_namespace', `${namespace} is where the injector runs`)
  if (annotationsOf(pod)[INJECTED] !== undefined)
    // Who writes the annotation by hand would have a pod that only looks guarded.
    return containersOf(pod).some(({ name }) => name === SIDECAR)
      ? new Skip('already_injected', 'it has the sidecar; uninject it for another one')
      : new Skip('invalid_annotation', `${INJECTED}: only the injector writes it, and there is no sidecar`)
  if (annotationsOf(pod)['kubernetes.io/config.mirror'] !== undefined)
    return new Skip('mirror_pod', 'it shows a pod that the kubelet has from a file')
  if (spec.os?.name === 'windows' || spec.nodeSelector?.['kubernetes.io/os'] === 'windows')
    return new Skip('windows', 'there is no image for Windows')
  const other = containersOf(pod).find(({ name }) => OTHERS.includes(name))
  return other === undefined ? null : new Skip('other_sidecar', `it has the sidecar ${other.name}`)
}

/**
 * The pod's label goes before its annotation, and both before the namespace. A value that is neither is a mistake: nobody
 * may be told that this pod was meant to be without.
 */
function unasked(pod: Pod, settings: Settings): Skip | null {
  for (const [place, value] of [
    ['the label of the pod', pod.metadata?.labels?.[INJECT]],
    ['the annotation of the pod', annotationsOf(pod)[INJECT]],
    ['the label of the namespace', settings.namespace.labels[INJECT]],
  ] as const) {
    if (value === undefined) continue
    if (value === 'enabled' || value === 'true') return null
    if (value === 'disabled' || value === 'false')
      return new Skip('disabled', `${place} ${INJECT} is ${value}`)
    return new Skip('invalid_annotation', `${place} ${INJECT} is "${value}", neither enabled nor disabled`)
  }
  if (settings.inject === 'enabled') return null
  return new Skip('not_selected', `neither the pod nor its namespace says ${INJECT}: enabled`)
}

function taken(pod: Pod): Skip | null {
  const own = containersOf(pod).find(({ name }) => name === SIDECAR || name === CAPTURE)
  if (own !== undefined) return new Skip('name_taken', `a container is called ${own.name} already`)
  if (pod.spec.volumes?.some(({ name }) => name === VOLUME) === true)
    return new Skip('name_taken', `a volume is called ${VOLUME} already`)
  return null
}

const containersOf = ({ spec }: Pod) => [...spec.containers, ...(spec.initContainers ?? [])]
