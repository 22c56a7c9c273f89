import { dirname, resolve } from 'node:path'
import type { Address } from '../../exchange/address.ts'
import type { EndpointSpec, LoadBalanceSpec, UpstreamLimits } from '../../upstream/upstream-spec.ts'
import type { ResolvedUpstream } from '../resolved.ts'
import { addressText, isLoopback } from './address-text.ts'
import { contentHash } from './hash.ts'
import { resolveDiscovery } from './resolve-discovery.ts'
import { resolveBreaker, resolveHealthCheck, resolveOutlier } from './resolve-health.ts'
import { resolveUpstreamTls } from './resolve-tls.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import type { WrittenUpstream } from './upstream-schema.ts'

/** One upstream, its defaults filled in. */
export function resolveUpstream(
  name: string,
  written: WrittenUpstream,
  resolution: Resolution,
): ResolvedUpstream {
  const path = ['upstreams', name]
  const { url, connection, protocol = 'http1' } = written
  const [first, second] = (['url', 'endpoints', 'discovery'] as const).filter(
    key => written[key] !== undefined,
  )
  if (first === undefined) {
    resolution.fault(
      path,
      `the upstream \`${name}\` needs \`url\`, \`endpoints\` or \`discovery\``,
      undefined,
      'key',
    )
  } else if (second !== undefined) {
    resolution.fault(
      [...path, second],
      `\`${first}\` and \`${second}\` are alternatives: give one`,
      undefined,
      'key',
    )
  } else if (written.endpoints?.length === 0) {
    resolution.fault([...path, 'endpoints'], '`endpoints` is empty: give at least one')
  }
  const seen = new Set<string>()
  const endpoints: EndpointSpec[] = []
  for (const [index, { address, weight = 1, zone = '', priority = 0 }] of (
    written.endpoints ?? []
  ).entries()) {
    const text = addressText(address)
    if (seen.has(text) && resolution.secrets) {
      resolution.fault(
        [...path, 'endpoints', index],
        `the endpoint \`${text}\` is given twice; \`weight\` gives it more`,
      )
    }
    seen.add(text)
    endpoints.push({
      address: fromFile(address, [...path, 'endpoints', index], resolution),
      weight,
      zone,
      priority,
    })
  }
  if (resolution.secrets && endpoints.length > 0 && endpoints.every(({ weight }) => weight === 0)) {
    resolution.fault([...path, 'endpoints'], 'an upstream needs at least one endpoint with a weight above 0')
  }
  if (url !== undefined)
    endpoints.push({
      address: { kind: 'tcp', host: url.host, port: url.port },
      weight: 1,
      zone: '',
      priority: 0,
    })
  const discovery =
    written.discovery === undefined
      ? undefined
      : resolveDiscovery(written.discovery, [...path, 'discovery'], resolution)
  const local = discovery === undefined && endpoints.every(endpoint => isLoopback(endpoint.address))
  const content = {
    name,
    endpoints,
    ...(discovery === undefined ? {} : { discovery }),
    authority: url?.authority ?? name,
    https: url?.encrypted === true,
    basePath: url?.basePath ?? '',
    loadBalance: resolveLoadBalance(written.loadBalance, [...path, 'loadBalance'], resolution),
    healthCheck: resolveHealthCheck(written.healthCheck, [...path, 'healthCheck'], resolution),
    outlierDetection: resolveOutlier(written.outlierDetection, [...path, 'outlierDetection'], resolution),
    circuitBreaker: resolveBreaker(written.circuitBreaker, [...path, 'circuitBreaker'], resolution),
    proxyProtocol: written.proxyProtocol || null,
    protocol,
    tls: resolveUpstreamTls(written.tls, url?.encrypted === true, [...path, 'tls'], resolution),
    limits: resolveLimits(written.limits, [...path, 'limits'], resolution),
    connection: {
      connect: connection?.connect ?? (local ? 1000 : 2000),
      keepAlive: connection?.keepAlive ?? (protocol === 'http2' ? 300_000 : 3000),
    },
  }
  return { ...content, hash: contentHash(content), at: resolution.place(path, 'key') }
}

const HASHING: ReadonlySet<string> = new Set(['ring-hash', 'maglev'])

function resolveLoadBalance(
  written: WrittenUpstream['loadBalance'],
  path: ConfigPath,
  resolution: Resolution,
): LoadBalanceSpec {
  const policy = written?.policy ?? 'least-request'
  const by = written?.by ?? []
  const hashes = HASHING.has(policy)
  if (!resolution.secrets) {
    // The policy may be a stand-in.
  } else if (hashes && by.length === 0) {
    resolution.fault(
      path,
      `\`${policy}\` needs \`by\`: what is hashed`,
      `e.g. loadBalance: { policy: ${policy}, by: consumer }`,
    )
  } else if (!hashes && written?.by !== undefined) {
    // Not at `by` itself: the policy may be what the schema refused.
    resolution.fault(path, `\`by\` is for \`ring-hash\` and \`maglev\`: \`${policy}\` hashes nothing`)
  }
  return {
    policy,
    by,
    zone: written?.zone ?? '',
    slowStart: written?.slowStart ?? null,
    panicPercent: written?.panicPercent ?? 50,
  }
}

function resolveLimits(
  written: WrittenUpstream['limits'],
  path: ConfigPath,
  resolution: Resolution,
): UpstreamLimits {
  const inFlight = written?.inFlight ?? 1024
  const adaptive = written?.adaptive ? { min: written.adaptive.min ?? Math.min(10, inFlight) } : null
  if (adaptive !== null && adaptive.min > inFlight && resolution.secrets) {
    resolution.fault(path, `\`adaptive.min\` cannot be more than \`inFlight\`, which is ${inFlight}`)
  }
  return {
    inFlight,
    pending: written?.pending ?? 256,
    connections: written?.connections ?? null,
    retries: written?.retries ?? null,
    adaptive,
  }
}

/** An address whose relative socket path starts at the file that names it. */
export function fromFile(address: Address, path: ConfigPath, resolution: Resolution): Address {
  if (address.kind !== 'unix') return address
  const file = resolution.fileOf(path)
  return file === undefined ? address : { kind: 'unix', path: resolve(dirname(file), address.path) }
}
