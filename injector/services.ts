import type { Finding } from './manifest.ts'
import type { Pod } from './pod.ts'
import type { Tree } from './workloads.ts'
import { GENERATED } from './annotations.ts'
import { readPod, runningContainers } from './pod.ts'
import { CAPTURE } from './selection.ts'
import { isTree, objectsOf } from './workloads.ts'

/** Whether the callers of one port of a Service pass the sidecar. */
export interface ServicePort {
  /** Such as `Service/orders port 80`. */
  readonly name: string
  readonly passes: boolean
  /** A sentence. */
  readonly detail: string
}

/** What a Service meets at a pod. Read once: a namespace may have thousands of ports of Services. */
interface Target {
  readonly finding: Finding
  /** Null where it is no pod. */
  readonly numbers: ReadonlyMap<string, number> | null
  /** Where the sidecar listens for others. */
  readonly sidecar: ReadonlySet<number>
}

/** Looks at every Service of some objects: which pods it chooses, and where of these its ports lead. */
export function checkServices(objects: readonly unknown[], findings: readonly Finding[]): ServicePort[] {
  const targets = findings.map(targetOf)
  return objects
    .flatMap(object => objectsOf(object, 'Service'))
    .flatMap(service => {
      const pods = targets.filter(({ finding }) => isChosen(service, finding))
      const ports = listOf(tree(service['spec'])['ports'])
      return ports.flatMap(port => checkPort(nameOf(service), port, pods))
    })
}

function checkPort(service: string, port: Tree, pods: readonly Target[]): ServicePort[] {
  const name = `${service} port ${String(port['port'])}`
  const target = port['targetPort'] ?? port['port']
  if (typeof target !== 'number' && typeof target !== 'string')
    return [{ name, passes: false, detail: 'it has no port' }]
  if (pods.length === 0) return [{ name, passes: false, detail: 'it chooses no pod that is here' }]
  return pods.map(pod => ({ name, ...judge(target, port['protocol'] ?? 'TCP', pod) }))
}

function judge(
  target: number | string,
  protocol: unknown,
  { finding, numbers, sidecar }: Target,
): Omit<ServicePort, 'name'> {
  const who = finding.place.name
  if (numbers === null) return { passes: false, detail: `${who} is no pod` }
  const number = typeof target === 'number' ? target : numbers.get(target)
  if (number === undefined) return { passes: false, detail: `no port of ${who} is called ${target}` }
  if (protocol !== 'TCP') return { passes: false, detail: `${String(protocol)} reaches ${who} directly` }
  if (sidecar.has(number)) return { passes: true, detail: `${target} is the sidecar of ${who}` }
  return { passes: false, detail: `${target} reaches ${who} directly, past the sidecar` }
}

function targetOf(finding: Finding): Target {
  const pod = readPod(finding.pod)
  if (typeof pod === 'string') return { finding, numbers: null, sidecar: new Set() }
  const numbers = new Map<string, number>()
  for (const { name, containerPort } of runningContainers(pod).flatMap(one => one.ports ?? []))
    if (name != null && !numbers.has(name)) numbers.set(name, containerPort)
  return { finding, numbers, sidecar: sidecarPorts(finding, pod) }
}

/** Where the sidecar of a pod listens for others; also of one that had it before. */
function sidecarPorts({ report }: Finding, pod: Pod): Set<number> {
  if (report.outcome === 'injected') {
    const ports = report.ports.flatMap(({ sidecar, declared, by }) =>
      sidecar === null ? [] : by === 'capture' ? [sidecar, declared] : [sidecar],
    )
    return new Set(ports)
  }
  const text = pod.metadata?.annotations?.[GENERATED] ?? ''
  const inbound = text.matchAll(/name: in-(\d+)\n\s+role: inbound\n\s+address: "?:(\d+)/g)
  const captured = pod.spec.initContainers?.some(one => one.name === CAPTURE) === true
  return new Set(
    [...inbound].flatMap(([, declared, port]) => (captured ? [declared, port] : [port])).map(Number),
  )
}

/** Whether a Service chooses a pod. */
export function isChosen(service: Tree, { place, pod }: Pick<Finding, 'place' | 'pod'>): boolean {
  const selector = Object.entries(tree(tree(service['spec'])['selector']))
  const labels = tree(tree(tree(pod)['metadata'])['labels'])
  const namespace = tree(service['metadata'])['namespace'] ?? null
  return (
    selector.length > 0 &&
    namespace === place.namespace &&
    selector.every(([key, value]) => labels[key] === value)
  )
}

const tree = (value: unknown): Tree => (isTree(value) ? value : {})

const listOf = (value: unknown): Tree[] => (Array.isArray(value) ? value.filter(isTree) : [])

const nameOf = (service: Tree): string => `Service/${String(tree(service['metadata'])['name'])}`
