import type { Wishes } from './annotations.ts'
import type { Container, ContainerPort, Pod } from './pod.ts'
import type { PortReport } from './report.ts'
import { PREFIX } from './annotations.ts'
import { isTcp, runningContainers } from './pod.ts'
import { Skip } from './report.ts'

const LAST_PORT = 65_535

/** A port that the sidecar takes. */
export interface PassedPort extends PortReport {
  /** Where the sidecar listens. */
  readonly sidecar: number
  /** What the app speaks there: HTTP/1.1, HTTP/2 and nothing else, or what nobody looks into. */
  readonly protocol: 'http' | 'http2' | 'tcp'
}

/** What becomes of the ports of a pod. */
export interface PortPlan {
  readonly passed: readonly PassedPort[]
  /** Left out on request. */
  readonly left: readonly PortReport[]
  readonly notes: readonly string[]
}

interface Declared {
  readonly container: Container
  readonly port: ContainerPort
}

/**
 * Decides for each declared TCP port where the sidecar listens and where the app does. The sidecar takes only a port
 * that the app does not bind, so one of the two has to move: the app (by its annotation, or by PORT) or the name. Or the
 * packet filter of the pod leads callers elsewhere.
 */
export function planPorts(pod: Pod, wishes: Wishes): PortPlan | Skip {
  const all = runningContainers(pod).flatMap(container =>
    (container.ports ?? []).map((port): Declared => ({ container, port })),
  )
  const tcp = all.filter(({ port }) => isTcp(port))
  const wrong = wrongNumbers(tcp, wishes)
  if (wrong !== null) return wrong
  const free = new FreePorts(pod, wishes)
  const passed: PassedPort[] = []
  const left: PortReport[] = []
  const notes: string[] = []
  const others = all.length - tcp.length
  if (others > 0) notes.push(`${others} of its ports do not take TCP and pass by the sidecar`)
  const alone = tcp.filter(({ port }) => !wishes.skipPorts.has(port.containerPort)).length === 1
  for (const { container, port } of tcp) {
    const { containerPort: declared } = port
    const base = { container: container.name, name: port.name ?? null, declared }
    if (wishes.skipPorts.has(declared)) {
      left.push({ ...base, sidecar: null, app: declared, by: 'skip-ports' })
      notes.push(`port ${declared} passes by the sidecar, as ${PREFIX}skip-ports says`)
      continue
    }
    const protocol = wishes.tcpPorts.has(declared)
      ? 'tcp'
      : wishes.http2Ports.has(declared)
        ? 'http2'
        : 'http'
    const app = wishes.appPorts.get(declared) ?? (alone ? wishes.appPorts.get('only') : undefined)
    if (app !== undefined) passed.push({ ...base, sidecar: declared, app, by: 'app-port', protocol })
    else if (wishes.movesByEnv && takesPort(container, port))
      passed.push({ ...base, sidecar: declared, app: free.next('app'), by: 'move-port', protocol })
    else if (wishes.captures)
      passed.push({ ...base, sidecar: free.next('inbound'), app: declared, by: 'capture', protocol })
    else if (port.name != null) {
      passed.push({ ...base, sidecar: free.next('inbound'), app: declared, by: 'name', protocol })
      notes.push(
        `Services that target ${JSON.stringify(port.name)} pass the sidecar; those that target ${declared} still reach the app`,
      )
      if (port.hostPort != null) notes.push(`hostPort ${port.hostPort} still reaches the app`)
    } else {
      return new Skip(
        'app_port_not_movable',
        `port ${declared} of ${container.name} has no name, and neither ${PREFIX}app-port nor ${PREFIX}move-port says where the app may go`,
      )
    }
    if (protocol === 'tcp')
      notes.push(`port ${declared} passes as TCP: policies about requests do not guard it`)
  }
  return taken(passed, wishes) ?? { passed, left, notes }
}

/** Annotations that name ports which the pod does not declare, or not so that they say one thing. */
function wrongNumbers(tcp: readonly Declared[], wishes: Wishes): Skip | null {
  const numbers = tcp.map(({ port }) => port.containerPort)
  for (const [name, ports] of [
    ['app-port', [...wishes.appPorts.keys()].filter(key => key !== 'only')],
    ['skip-ports', [...wishes.skipPorts]],
    ['tcp-ports', [...wishes.tcpPorts]],
    ['http2-ports', [...wishes.http2Ports]],
  ] as const) {
    const odd = ports.find(port => !numbers.includes(port))
    if (odd !== undefined)
      return new Skip('invalid_annotation', `${PREFIX}${name}: the pod declares no TCP port ${odd}`)
  }
  if (!wishes.appPorts.has('only')) return null
  const candidates = numbers.filter(number => !wishes.skipPorts.has(number))
  if (candidates.length === 1) return null
  return new Skip(
    'invalid_annotation',
    `${PREFIX}app-port: the pod declares ${candidates.length} TCP ports; write DECLARED=APP for each`,
  )
}

/** Whether PORT moves this port: the one that it names now, else the only one of its container. */
function takesPort(container: Container, port: ContainerPort): boolean {
  const now = container.env?.find(({ name }) => name === 'PORT')?.value
  const tcp = (container.ports ?? []).filter(isTcp)
  if (now != null && tcp.some(one => String(one.containerPort) === now))
    return now === String(port.containerPort)
  return tcp.length === 1
}

/** Numbers that two would listen on. */
function taken(passed: readonly PassedPort[], wishes: Wishes): Skip | null {
  const { admin, health, appProbes, outbound, upstreamsFrom } = wishes.settings.ports
  const holders = new Map<number, string>([
    [admin, 'the admin listener'],
    [health, 'the health listener'],
    [appProbes, 'the listener of probes'],
    ...(wishes.httpProxy ? ([[outbound, 'the listener of HTTP_PROXY']] as const) : []),
    ...wishes.upstreams.map(({ name }, index) => [upstreamsFrom + index, `the listener of ${name}`] as const),
  ])
  const last = wishes.upstreams.at(-1)
  if (last !== undefined && upstreamsFrom + wishes.upstreams.length - 1 > LAST_PORT)
    return new Skip('port_taken', `the listener of ${last.name} would be beyond ${LAST_PORT}`)
  for (const { declared, sidecar, app, container } of passed) {
    for (const [port, holder] of [
      [sidecar, `the sidecar for port ${declared}`],
      [app, `the app for port ${declared} of ${container}`],
    ] as const) {
      if (port > LAST_PORT)
        return new Skip('port_taken', `${holder} would take ${port}: the settings leave no room for it`)
      const other = holders.get(port)
      if (other !== undefined) return new Skip('port_taken', `${other} and ${holder} would both take ${port}`)
      holders.set(port, holder)
    }
  }
  return null
}

/** Numbers that nobody in the pod takes. */
class FreePorts {
  readonly #taken: Set<number>
  readonly #next: { app: number; inbound: number }

  constructor(pod: Pod, wishes: Wishes) {
    const { ports } = wishes.settings
    const { admin, health, appProbes, outbound, upstreamsFrom } = ports
    const declared = runningContainers(pod).flatMap(one => (one.ports ?? []).map(port => port.containerPort))
    const upstreams = wishes.upstreams.map((_, index) => upstreamsFrom + index)
    const apps = wishes.appPorts.values()
    this.#taken = new Set([admin, health, appProbes, outbound, ...upstreams, ...declared, ...apps])
    this.#next = { app: ports.appFrom, inbound: ports.inboundFrom }
  }

  next(kind: 'app' | 'inbound'): number {
    while (this.#taken.has(this.#next[kind])) this.#next[kind]++
    this.#taken.add(this.#next[kind])
    return this.#next[kind]
  }
}
