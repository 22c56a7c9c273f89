import type { Pod } from './pod.ts'
import type { Settings } from './settings.ts'
import type { Upstream } from './upstream-name.ts'
import { annotationsOf } from './pod.ts'
import { LOG_LEVELS, settingsSchema } from './settings.ts'
import { hostTwice, readUpstreams } from './upstream-name.ts'

/** In front of every annotation and label of ours. */
export const PREFIX = 'outrigger.dev/'
/** On a namespace or pod as a label, on a pod as an annotation too. */
export const INJECT = `${PREFIX}inject`
/** What the injector did, for `uninject`; only it writes this. */
export const INJECTED = `${PREFIX}injected`
/** The configuration that the injector wrote; the pod mounts it. */
export const GENERATED = `${PREFIX}generated-config`
/** A configuration that the user writes into the pod itself; the pod mounts it too. */
export const OWN_CONFIG = `${PREFIX}config`

const KNOWN = [
  'inject',
  'injected',
  'generated-config',
  'config',
  'config-map',
  'service',
  'app-port',
  'move-port',
  'capture',
  'skip-ports',
  'tcp-ports',
  'http2-ports',
  'upstreams',
  'http-proxy',
  'image',
  'log-level',
  'cpu-request',
  'memory-request',
  'cpu-limit',
  'memory-limit',
] as const

/** What a pod wants, with the settings where it says nothing. */
export interface Wishes {
  readonly settings: Settings
  /** By declared port the one that the app binds; `only` stands for the one that is declared. */
  readonly appPorts: ReadonlyMap<number | 'only', number>
  readonly movesByEnv: boolean
  /** Whether the packet filter of the pod leads its ports to the sidecar. */
  readonly captures: boolean
  readonly skipPorts: ReadonlySet<number>
  readonly tcpPorts: ReadonlySet<number>
  /** Ports where the app speaks HTTP/2 and nothing else, as gRPC servers do. */
  readonly http2Ports: ReadonlySet<number>
  readonly upstreams: readonly Upstream[]
  readonly httpProxy: boolean
  /** Whether the pod brings a configuration of its own. */
  readonly hasOwnConfig: boolean
  readonly service: string
}

/** Reads the annotations of a pod: its wishes, or what is wrong with one of them. */
export function readWishes(pod: Pod, base: Settings): Wishes | string {
  const annotations = annotationsOf(pod)
  const of = (name: (typeof KNOWN)[number]): string | undefined => annotations[PREFIX + name]
  for (const name of Object.keys(annotations)) {
    if (name.startsWith(PREFIX) && !KNOWN.some(known => name === PREFIX + known))
      return `${name}: there is no such annotation`
  }
  if (of('generated-config') !== undefined) return `${GENERATED}: only the injector writes it`
  const settings = readOverrides(of, base)
  if (typeof settings === 'string') return settings
  const appPorts = readAppPorts(of('app-port') ?? '')
  const skipPorts = readPorts(of('skip-ports') ?? '')
  const tcpPorts = readPorts(of('tcp-ports') ?? '')
  const http2Ports = readPorts(of('http2-ports') ?? '')
  const upstreams = readUpstreams(of('upstreams') ?? settings.outbound.upstreams.join(','))
  const httpProxy = readSwitch(of('http-proxy'), settings.outbound.httpProxy)
  const movePort = of('move-port')
  const service = of('service') ?? serviceOf(pod)
  if (typeof appPorts === 'string') return `${PREFIX}app-port: ${appPorts}`
  if (typeof skipPorts === 'string') return `${PREFIX}skip-ports: ${skipPorts}`
  if (typeof tcpPorts === 'string') return `${PREFIX}tcp-ports: ${tcpPorts}`
  if (typeof http2Ports === 'string') return `${PREFIX}http2-ports: ${http2Ports}`
  const both = [...http2Ports].find(port => tcpPorts.has(port))
  if (both !== undefined) return `${PREFIX}http2-ports: ${both} is one of tcp-ports already`
  if (typeof upstreams === 'string') return `${PREFIX}upstreams: ${upstreams}`
  if (typeof httpProxy === 'string') return `${PREFIX}http-proxy: ${httpProxy}`
  if (of('http-proxy') !== undefined && httpProxy && upstreams.length === 0)
    return `${PREFIX}http-proxy: without ${PREFIX}upstreams every call would be refused`
  const shared = httpProxy ? hostTwice(upstreams) : null
  if (shared !== null)
    return `${PREFIX}upstreams: two of them have the host ${shared}, and by HTTP_PROXY nothing else tells them apart`
  if (movePort !== undefined && movePort !== 'env') return `${PREFIX}move-port: is env, not "${movePort}"`
  const capture = of('capture')
  if (capture !== undefined && capture !== 'inbound') return `${PREFIX}capture: is inbound, not "${capture}"`
  if (capture !== undefined && settings.captureImage === undefined)
    return `${PREFIX}capture: the settings name no captureImage`
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(service)) return `${PREFIX}service: "${service}" is no name`
  return {
    settings,
    appPorts,
    movesByEnv: movePort === 'env',
    captures: capture !== undefined,
    skipPorts,
    tcpPorts,
    http2Ports,
    upstreams,
    httpProxy: httpProxy && upstreams.length > 0,
    hasOwnConfig: of('config') !== undefined,
    service,
  }
}

/** An annotation overrides one setting; all others keep their defaults. */
function readOverrides(
  of: (name: (typeof KNOWN)[number]) => string | undefined,
  base: Settings,
): Settings | string {
  const configMap = of('config-map')
  const given: Record<string, unknown> = {
    ...base,
    image: of('image') ?? base.image,
    logLevel: of('log-level') ?? base.logLevel,
    resources: {
      cpuRequest: of('cpu-request') ?? base.resources.cpuRequest,
      memoryRequest: of('memory-request') ?? base.resources.memoryRequest,
      cpuLimit: of('cpu-limit') ?? base.resources.cpuLimit,
      memoryLimit: of('memory-limit') ?? base.resources.memoryLimit,
    },
    configMap: configMap === 'none' ? undefined : (configMap ?? base.configMap),
  }
  const read = settingsSchema.safeParse(given)
  if (read.success) return read.data
  const [issue] = read.error.issues
  const field = String(issue?.path.at(-1) ?? '')
  const name = PREFIX + field.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  return `${name}: ${field === 'logLevel' ? `is one of ${LOG_LEVELS.join(', ')}` : (issue?.message ?? '')}`
}

function readAppPorts(text: string): Map<number | 'only', number> | string {
  const found = new Map<number | 'only', number>()
  for (const part of partsOf(text)) {
    const [first, second] = part.split('=')
    const [declared, app] =
      second === undefined ? ['only' as const, Number(first)] : [Number(first), Number(second)]
    if (!/^\d+(?:=\d+)?$/.test(part) || !isPort(app) || (declared !== 'only' && !isPort(declared)))
      return `"${part}" is no port and no DECLARED=APP`
    if (found.has(declared)) return `"${part}" says a port again`
    found.set(declared, app)
  }
  if (found.has('only') && found.size > 1) return 'is one port, or a list of DECLARED=APP'
  return found
}

function readPorts(text: string): Set<number> | string {
  const parts = partsOf(text)
  const odd = parts.find(part => !/^\d+$/.test(part) || !isPort(Number(part)))
  return odd === undefined ? new Set(parts.map(Number)) : `"${odd}" is no port`
}

const partsOf = (text: string): string[] => text.split(/[\s,]+/).filter(part => part !== '')

const isPort = (number: number): boolean => number >= 1 && number <= 65_535

function readSwitch(text: string | undefined, otherwise: boolean): boolean | string {
  if (text === undefined) return otherwise
  if (text === 'enabled') return true
  return text === 'disabled' ? false : `is enabled or disabled, not "${text}"`
}

/** What the workload is called, as its labels have it. */
function serviceOf(pod: Pod): string {
  const labels = pod.metadata?.labels ?? {}
  const name = labels['app.kubernetes.io/name'] ?? labels['app'] ?? pod.spec.containers[0]?.name ?? 'app'
  return name === '' ? 'app' : name
}
