import type { Settings } from './settings.ts'
import type { Container, Handler } from './pod.ts'
import type { PassedPort } from './ports.ts'
import { PREFIX } from './annotations.ts'
import { Skip } from './report.ts'

/** A path of the listener of probes, and what of the app it leads to. */
export interface ProbeRoute {
  readonly name: string
  /** Null: the health check of gRPC, which has no path of its choice. */
  readonly path: string | null
  readonly appPath: string
  readonly appPort: number
}

/** The containers with their probes at the sidecar. */
export interface MovedProbes {
  readonly containers: readonly Container[]
  readonly routes: readonly ProbeRoute[]
  readonly notes: readonly string[]
}

const PROBES = [
  ['readinessProbe', 'readiness'],
  ['livenessProbe', 'liveness'],
  ['startupProbe', 'startup'],
] as const
const HOOKS = ['postStart', 'preStop'] as const

/** Paths that a route can name as they are. */
const PLAIN_PATH = /^(?:\/(?!\.{0,2}(?:\/|$))[\w.~-]+)*\/?$/

/**
 * Leads probes and hooks of the kubelet to the sidecar. One over HTTP gets a path of its own on the listener of probes,
 * so that no policy of the port (such as a token that the kubelet has not got) stands between it and the app, and no
 * other path is open. Any other goes to the port that the sidecar takes. What is at a port that the sidecar does not
 * take, or at another host, stays.
 */
export function moveProbes(
  containers: readonly Container[],
  passed: readonly PassedPort[],
  settings: Settings,
): MovedProbes | Skip {
  const routes: ProbeRoute[] = []
  const notes: string[] = []
  const moved: Container[] = []
  for (const container of containers) {
    const mover = new Mover(container, passed, settings, routes, notes)
    let next = container
    for (const [key, word] of PROBES) {
      const probe = container[key]
      const handler = probe == null ? null : mover.move(probe, word)
      if (handler instanceof Skip) return handler
      if (handler !== null && handler !== probe) next = { ...next, [key]: handler }
    }
    for (const word of HOOKS) {
      const hook = container.lifecycle?.[word]
      const handler = hook == null ? null : mover.move(hook, word)
      if (handler instanceof Skip) return handler
      if (handler !== null && handler !== hook)
        next = { ...next, lifecycle: { ...next.lifecycle, [word]: handler } }
    }
    moved.push(next)
  }
  return { containers: moved, routes, notes }
}

class Mover {
  readonly #container: Container
  readonly #passed: readonly PassedPort[]
  readonly #settings: Settings
  readonly #routes: ProbeRoute[]
  readonly #notes: string[]

  constructor(
    container: Container,
    passed: readonly PassedPort[],
    settings: Settings,
    routes: ProbeRoute[],
    notes: string[],
  ) {
    this.#container = container
    this.#passed = passed
    this.#settings = settings
    this.#routes = routes
    this.#notes = notes
  }

  /** @returns the handler at the sidecar; the same one where it stays */
  move<H extends Handler>(handler: H, word: string): H | Skip {
    const { httpGet, tcpSocket, grpc } = handler
    const asked = httpGet ?? tcpSocket ?? grpc
    if (asked == null || (httpGet?.host ?? tcpSocket?.host) != null) return handler
    const port = this.#find(asked.port)
    if (port === undefined) return handler
    const label = `${word} of ${this.#container.name}`
    if (port.protocol === 'http' && grpc != null)
      return new Skip(
        'port_not_http',
        `the ${label} asks port ${port.declared} by gRPC; ${PREFIX}http2-ports: "${port.declared}" says that the app speaks it there`,
      )
    if (port.protocol !== 'tcp' && httpGet?.scheme === 'HTTPS')
      return new Skip(
        'port_not_http',
        `the ${label} asks port ${port.declared} by HTTPS; ${PREFIX}tcp-ports: "${port.declared}" passes it as TCP, without policies about requests`,
      )
    if (httpGet != null) {
      const route = port.protocol !== 'tcp' ? this.#route(httpGet.path ?? '/', port, word) : null
      if (route !== null)
        return { ...handler, httpGet: { ...httpGet, path: route, port: this.#settings.ports.appProbes } }
      if (port.protocol !== 'tcp')
        this.#notes.push(`the ${label} passes the policies of port ${port.declared}`)
      return { ...handler, httpGet: { ...httpGet, port: port.sidecar } }
    }
    if (grpc != null) {
      if (port.protocol === 'http2' && this.#health(port))
        return { ...handler, grpc: { ...grpc, port: this.#settings.ports.appProbes } }
      if (port.protocol === 'http2')
        this.#notes.push(`the ${label} passes the policies of port ${port.declared}`)
      return { ...handler, grpc: { ...grpc, port: port.sidecar } }
    }
    this.#notes.push(`the ${label} only connects: it succeeds as soon as the sidecar listens`)
    return { ...handler, tcpSocket: { ...tcpSocket, port: port.sidecar } }
  }

  /** A name is one of the container itself, a number one of the pod. */
  #find(target: number | string): PassedPort | undefined {
    const named = this.#container.ports?.find(({ name }) => name === target)
    const number = named?.containerPort ?? Number(target)
    return this.#passed.find(({ declared, app }) => declared === number || app === number)
  }

  /** Whether the listener of probes leads health checks of gRPC to this port: all have one path, so only one port's do. */
  #health(port: PassedPort): boolean {
    const route = this.#routes.find(({ path }) => path === null)
    if (route === undefined)
      this.#routes.push({ name: 'grpc-health', path: null, appPath: '', appPort: port.app })
    return route === undefined || route.appPort === port.app
  }

  /** The path at the listener of probes, or null where none can stand for it. */
  #route(asked: string, port: PassedPort, word: string): string | null {
    const [appPath = '', query] = asked.split(/\?(.*)/s)
    const whole = appPath.startsWith('/') ? appPath : `/${appPath}`
    if (!PLAIN_PATH.test(whole)) return null
    const path = `/${this.#container.name}/${word}`
    const name = `${this.#container.name}.${word}`
    this.#routes.push({ name, path, appPath: whole, appPort: port.app })
    return query === undefined ? path : `${path}?${query}`
  }
}
