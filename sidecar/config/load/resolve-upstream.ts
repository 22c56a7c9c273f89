import { dirname, resolve } from 'node:path'
import type { Address } from '../../exchange/address.ts'
import type { EndpointSpec } from '../../upstream/upstream-spec.ts'
import type { ResolvedUpstream } from '../resolved.ts'
import { addressText, isLoopback } from './address-text.ts'
import { contentHash } from './hash.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import type { WrittenUpstream } from './upstream-schema.ts'

/** One upstream, its defaults filled in. */
export function resolveUpstream(
  name: string,
  written: WrittenUpstream,
  resolution: Resolution,
): ResolvedUpstream {
  const path = ['upstreams', name]
  const { url, limits, connection } = written
  if (url === undefined && written.endpoints === undefined) {
    resolution.fault(path, `the upstream \`${name}\` needs \`url\` or \`endpoints\``, undefined, 'key')
  } else if (url !== undefined && written.endpoints !== undefined) {
    resolution.fault(
      [...path, 'endpoints'],
      '`url` and `endpoints` are alternatives: give one',
      undefined,
      'key',
    )
  } else if (written.endpoints?.length === 0) {
    resolution.fault([...path, 'endpoints'], '`endpoints` is empty: give at least one')
  }
  const seen = new Set<string>()
  const endpoints: EndpointSpec[] = []
  for (const [index, { address, weight = 1 }] of (written.endpoints ?? []).entries()) {
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
      zone: '',
      priority: 0,
    })
  }
  if (url !== undefined)
    endpoints.push({
      address: { kind: 'tcp', host: url.host, port: url.port },
      weight: 1,
      zone: '',
      priority: 0,
    })
  const local = endpoints.every(endpoint => isLoopback(endpoint.address))
  const content = {
    name,
    endpoints,
    authority: url?.authority ?? name,
    basePath: url?.basePath ?? '',
    loadBalance: {
      policy: written.loadBalance ?? ('least-request' as const),
      by: [],
      zone: '',
      slowStart: null,
      panicPercent: 50,
    },
    healthCheck: null,
    outlierDetection: null,
    circuitBreaker: null,
    limits: {
      inFlight: limits?.inFlight ?? 1024,
      pending: limits?.pending ?? 256,
      connections: null,
      retries: null,
      adaptive: null,
    },
    connection: {
      connect: connection?.connect ?? (local ? 1000 : 2000),
      keepAlive: connection?.keepAlive ?? 3000,
    },
  }
  return { ...content, hash: contentHash(content), at: resolution.place(path, 'key') }
}

/** An address whose relative socket path starts at the file that names it. */
export function fromFile(address: Address, path: ConfigPath, resolution: Resolution): Address {
  if (address.kind !== 'unix') return address
  const file = resolution.fileOf(path)
  return file === undefined ? address : { kind: 'unix', path: resolve(dirname(file), address.path) }
}
