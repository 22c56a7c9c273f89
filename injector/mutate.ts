import type { Wishes } from './annotations.ts'
import type { Container, Pod } from './pod.ts'
import type { PassedPort, PortPlan } from './ports.ts'
import type { Report } from './report.ts'
import type { Settings } from './settings.ts'
import { GENERATED, INJECTED, readWishes } from './annotations.ts'
import { captureContainer } from './capture-container.ts'
import { generateConfig } from './generated-config.ts'
import { addVariables, setPorts } from './outbound.ts'
import { isTcp, readPod, runningContainers } from './pod.ts'
import { tooLongAnnotations, tooManyParts } from './pod-size.ts'
import { planPorts } from './ports.ts'
import { moveProbes } from './probes.ts'
import { Skip } from './report.ts'
import { undoOf } from './restore.ts'
import { whyNot } from './selection.ts'
import { minorOf } from './settings.ts'
import { configVolume, sidecarContainer } from './sidecar-container.ts'

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container'
const UNPRIVILEGED = 'net.ipv4.ip_unprivileged_port_start'

/** A pod after the injector, and what it did. */
export interface Mutation {
  /** The pod that was given where it was skipped. */
  readonly pod: unknown
  readonly report: Report
}

/**
 * Adds the sidecar to a pod. Pure: the same pod and settings give the same, and nothing that was given changes.
 * A pod that has the sidecar stays as it is.
 *
 * @param value a pod, or the template of one
 */
export function mutate(value: unknown, settings: Settings): Mutation {
  const pod = readPod(value)
  if (typeof pod === 'string') return { pod: value, report: new Skip('not_a_pod', pod).report }
  const mutation = inject(pod, settings)
  return mutation instanceof Skip ? { pod: value, report: mutation.report } : mutation
}

function inject(pod: Pod, settings: Settings): Mutation | Skip {
  const skip = whyNot(pod, settings) ?? tooManyParts(pod)
  if (skip !== null) return skip
  const wishes = readWishes(pod, settings)
  if (typeof wishes === 'string') return new Skip('invalid_annotation', wishes)
  const plan = planPorts(pod, wishes)
  if (plan instanceof Skip) return plan
  if (plan.passed.length + wishes.upstreams.length === 0 && !wishes.httpProxy)
    return new Skip(
      'nothing_to_pass',
      'it declares no TCP port that passes the sidecar, and calls no upstream',
    )
  const mode = modeOf(pod, wishes.settings)
  if (mode instanceof Skip) return mode
  return change(pod, wishes, plan, mode)
}

interface Mode {
  readonly kind: 'native' | 'classic'
  readonly note: string | null
}

/** How the sidecar is declared. A native one starts before the app, and ends after it, Jobs included. */
function modeOf(pod: Pod, settings: Settings): Mode | Skip {
  const minor = minorOf(settings)
  const why = classicReason(pod, minor)
  if (why === null) return { kind: 'native', note: null }
  if ((pod.spec.restartPolicy ?? 'Always') !== 'Always')
    return new Skip('job_needs_native_sidecar', `a pod that ends would not: ${why}`)
  return { kind: 'classic', note: `a classic sidecar: ${why}` }
}

function classicReason(pod: Pod, minor: number): string | null {
  if (minor < 29) return `Kubernetes 1.${minor} has no native ones`
  const named = runningContainers(pod)
    .flatMap(one => one.ports ?? [])
    .find(port => port.name != null && isTcp(port))
  if (minor >= 32 || named === undefined) return null
  return `Kubernetes 1.${minor} does not find a named port (${named.name}) in native ones`
}

function change(pod: Pod, wishes: Wishes, plan: PortPlan, mode: Mode): Mutation | Skip {
  const { spec } = pod
  const initContainers = spec.initContainers ?? []
  const probes = moveProbes([...spec.containers, ...initContainers], plan.passed, wishes.settings)
  if (probes instanceof Skip) return probes
  const renamed = probes.containers.map(one => moveNames(one, plan.passed))
  const ported = setPorts(renamed, plan.passed)
  const count = spec.containers.length
  // What runs before a classic sidecar cannot call through it.
  const reached = mode.kind === 'native' ? ported : ported.slice(0, count)
  const withEnv = addVariables(reached, wishes)
  const all = [...withEnv.containers, ...ported.slice(reached.length)]
  const sidecar = sidecarContainer(wishes, plan.passed, mode.kind)
  const inits = all.slice(count)
  const capture = captureContainer(wishes, plan.passed)
  const first = capture === null ? [] : [capture]
  const sysctls = lowPorts(pod, plan.passed)
  const config = generateConfig(
    wishes,
    plan.passed,
    probes.routes,
    spec.terminationGracePeriodSeconds ?? undefined,
  )
  const annotations = pod.metadata?.annotations ?? {}
  const byDefault =
    DEFAULT_CONTAINER in annotations ? {} : { [DEFAULT_CONTAINER]: spec.containers[0]?.name ?? '' }
  const changed: Pod = {
    ...pod,
    metadata: {
      ...pod.metadata,
      annotations: { ...annotations, ...byDefault, [GENERATED]: config },
    },
    spec: {
      ...spec,
      ...(mode.kind === 'native'
        ? { initContainers: [...first, sidecar, ...inits], containers: all.slice(0, count) }
        : {
            ...(capture !== null
              ? { initContainers: [capture, ...inits] }
              : spec.initContainers === undefined
                ? {}
                : { initContainers: spec.initContainers && inits }),
            containers: [sidecar, ...all.slice(0, count)],
          }),
      ...(sysctls === null ? {} : { securityContext: sysctls }),
      volumes: [...(spec.volumes ?? []), configVolume(wishes)],
    },
  }
  const undo = undoOf(pod, changed, mode.kind)
  const done = {
    ...changed,
    metadata: { ...changed.metadata, annotations: { ...changed.metadata?.annotations, [INJECTED]: undo } },
  }
  const low = sysctls === null ? [] : [`the pod gets the safe sysctl ${UNPRIVILEGED}, for a port below 1024`]
  const notes = [
    ...(mode.note === null ? [] : [mode.note]),
    ...plan.notes,
    ...probes.notes,
    ...withEnv.notes,
    ...(capture === null
      ? []
      : [`the init container ${capture.name} has NET_ADMIN: Pod Security's baseline does not take it`]),
    ...low,
  ]
  return tooLongAnnotations(done) ?? { pod: done, report: reportOf(plan, mode, notes) }
}

function reportOf(plan: PortPlan, mode: Mode, notes: readonly string[]): Report {
  const ports = [...plan.passed, ...plan.left].map(({ container, name, declared, sidecar, app, by }) => ({
    container,
    name,
    declared,
    sidecar,
    app,
    by,
  }))
  const passed = plan.passed.map(({ declared }) => declared).join(', ')
  const detail =
    passed === ''
      ? 'only its calls pass the sidecar'
      : plan.passed.length === 1
        ? `port ${passed} passes the sidecar`
        : `ports ${passed} pass the sidecar`
  return { outcome: 'injected', reason: null, detail, mode: mode.kind, ports, notes }
}

/** Takes the names from the ports of the app: the sidecar has them now. */
function moveNames(container: Container, passed: readonly PassedPort[]): Container {
  const names = new Set(
    passed.filter(port => port.by === 'name' && port.container === container.name).map(({ name }) => name),
  )
  if (names.size === 0) return container
  const ports = (container.ports ?? []).map(port => {
    if (!names.has(port.name ?? null)) return port
    const { name: _, ...rest } = port
    return rest
  })
  return { ...container, ports }
}

/** A sidecar that is nobody and may nothing binds ports below 1024 only where the pod lets everybody. */
function lowPorts(pod: Pod, passed: readonly PassedPort[]): Pod['spec']['securityContext'] | null {
  const context = pod.spec.securityContext
  const sysctls = context?.sysctls ?? []
  if (!passed.some(({ sidecar }) => sidecar < 1024) || sysctls.some(({ name }) => name === UNPRIVILEGED))
    return null
  return { ...context, sysctls: [...sysctls, { name: UNPRIVILEGED, value: '0' }] }
}
