import { stringify } from 'yaml'
import type { Wishes } from './annotations.ts'
import type { PassedPort } from './ports.ts'
import type { ProbeRoute } from './probes.ts'

/** The kubelet's own default. */
const GRACE_SECONDS = 30
/** Between the end of the drain and the kubelet's SIGKILL. */
const SPARE_SECONDS = 5
/** No drain takes a year; Kubernetes takes numbers that no duration can hold. */
const MOST_SECONDS = 365 * 86_400

/** Whom the kubelet asks by gRPC (grpc/grpc, doc/health-checking.md). */
const HEALTH = 'grpc.health.v1.Health'

/** What a listener says whose requests are none of the world: policies of `defaults` are about the app's callers. */
const UNGUARDED = { authenticate: false, authorize: false, rateLimit: false }

/**
 * The configuration of one pod: a listener for each port that the sidecar takes, one for probes, one for each upstream.
 * It is joined with the files of the ConfigMap and with what the pod's annotation says.
 */
export function generateConfig(
  wishes: Wishes,
  passed: readonly PassedPort[],
  probes: readonly ProbeRoute[],
  graceSeconds: number = GRACE_SECONDS,
): string {
  const { settings, service, upstreams, httpProxy } = wishes
  const { ports } = settings
  const probed = [...new Set(probes.map(({ appPort }) => appPort))]
  const listeners = [
    ...passed.map(inbound),
    ...(probes.length === 0 ? [] : [probeListener(probes, ports.appProbes)]),
    ...upstreams.map(({ name }, index) => ({
      name: `to-${name}`,
      role: 'outbound',
      address: `127.0.0.1:${ports.upstreamsFrom + index}`,
      ...UNGUARDED,
      upstream: name,
    })),
    ...(httpProxy ? [proxyListener(wishes)] : []),
  ]
  const all = {
    ...Object.fromEntries(passed.map(port => [`app-${port.declared}`, local(port.app, port.protocol)])),
    // A pool of their own: a busy app must not look like one that is dead.
    ...Object.fromEntries(probed.map(port => [`probe-${port}`, local(port, protocolOf(port, passed))])),
    ...Object.fromEntries(upstreams.map(({ name, url }) => [name, { url }])),
  }
  const config = {
    version: 1,
    service,
    listeners,
    ...(Object.keys(all).length === 0 ? {} : { upstreams: all }),
    admin: { address: `127.0.0.1:${ports.admin}`, probes: `:${ports.health}` },
    drain: { timeout: `${Math.min(MOST_SECONDS, Math.max(1, graceSeconds - SPARE_SECONDS))}s` },
  }
  return stringify(config, { lineWidth: 0 })
}

function local(port: number, protocol: PassedPort['protocol']): object {
  if (protocol === 'tcp') return { endpoints: [`127.0.0.1:${port}`] }
  const url = `http://127.0.0.1:${port}`
  return protocol === 'http2' ? { url, protocol } : { url }
}

function protocolOf(app: number, passed: readonly PassedPort[]): PassedPort['protocol'] {
  return passed.find(port => port.app === app)?.protocol ?? 'http'
}

/** Routes rather than one action, so that other files can add routes to the listener. */
function inbound({ declared, sidecar, protocol }: PassedPort): object {
  const name = `in-${declared}`
  return {
    name,
    role: 'inbound',
    address: `:${sidecar}`,
    ...(protocol === 'tcp' ? { protocol } : {}),
    routes: [{ name, upstream: `app-${declared}` }],
  }
}

function probeListener(probes: readonly ProbeRoute[], port: number): object {
  return {
    name: 'app-probes',
    role: 'inbound',
    address: `:${port}`,
    ...UNGUARDED,
    routes: probes.map(({ name, path, appPath, appPort }) =>
      path === null
        ? { name, match: { grpc: { service: HEALTH, method: 'Check' } }, upstream: `probe-${appPort}` }
        : {
            name,
            match: { path: { exact: path }, methods: ['GET'] },
            rewrite: { path: appPath },
            upstream: `probe-${appPort}`,
          },
    ),
  }
}

function proxyListener({ settings, upstreams }: Wishes): object {
  return {
    name: 'http-proxy',
    role: 'outbound',
    address: `127.0.0.1:${settings.ports.outbound}`,
    ...UNGUARDED,
    tunnel: true,
    upstreams: upstreams.map(({ name }) => name),
  }
}
