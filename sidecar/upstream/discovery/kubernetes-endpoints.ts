import type { Slice, SliceEndpoint, SlicePort } from './kubernetes-slice.ts'

/** Where requests of an upstream may go. */
export interface ServiceEndpoint {
  readonly host: string
  readonly port: number
  readonly zone: string
}

/** What a Service's slices come to. */
export interface ServiceEndpoints {
  /** In the order of their addresses. */
  readonly endpoints: readonly ServiceEndpoint[]
  /** Why there can be none; empty where none is only not ready. */
  readonly fault: string
}

interface Candidate extends SliceEndpoint {
  readonly port: number
}

/**
 * Merges the slices of a Service, by the rules of kube-proxy:
 *
 * 1. IPv4 where there is an endpoint with such an address, else IPv6: a pod of two families is one endpoint.
 * 2. The port is found in each slice anew: pods of two releases may have the name at two numbers.
 * 3. Whoever is ready is used. A pod that terminates is not, so it drains. Only if nobody is ready those are
 *    used that terminate and still serve.
 * 4. Zone hints count where all that are used have some, and one is for our zone: then the zone of the hint is the
 *    endpoint's. Else it is the zone it is in.
 *
 * @param port a port's name, its number at the pods, or null: the only one there is
 * @param zone ours; empty: not known
 */
export function mergeSlices(
  slices: readonly Slice[],
  port: string | number | null,
  zone: string,
): ServiceEndpoints {
  if (slices.length === 0)
    return { endpoints: [], fault: 'no such Service is known, or it has no EndpointSlice' }
  const family = slices.some(one => one.family === 4 && one.endpoints.length > 0) ? 4 : 6
  const found = new Map<string, Candidate>()
  const used = slices.filter(one => one.family === family && one.endpoints.length > 0)
  const missing: Slice[] = []
  for (const slice of used) {
    const number = portOf(slice.ports, port)
    if (number === null) {
      missing.push(slice)
      continue
    }
    for (const endpoint of slice.endpoints) {
      const key = `${endpoint.address} ${number}`
      const before = found.get(key)
      // While an endpoint moves from one slice to another it stands in both.
      if (before === undefined || rank(endpoint) > rank(before)) found.set(key, { ...endpoint, port: number })
    }
  }
  const fault =
    missing.length > 0 && missing.length === used.length
      ? portFault(missing, port)
      : used.length === 0 && slices.some(one => one.refused > 0)
        ? 'its addresses are none that a pod has: of this machine, link-local, or of cloud metadata'
        : ''
  return { endpoints: inZones(usable([...found.values()]), zone), fault }
}

function usable(all: readonly Candidate[]): readonly Candidate[] {
  const ready = all.filter(one => one.ready)
  return ready.length > 0 ? ready : all.filter(one => one.serving && one.terminating)
}

function rank({ ready, serving }: SliceEndpoint): number {
  return ready ? 2 : serving ? 1 : 0
}

function inZones(all: readonly Candidate[], own: string): ServiceEndpoint[] {
  const hinted =
    own !== '' && all.every(one => one.forZones.length > 0) && all.some(one => one.forZones.includes(own))
  return all
    .map(({ address, port, zone, forZones }) => ({
      host: address,
      port,
      zone: hinted ? (forZones.includes(own) ? own : (forZones[0] ?? '')) : zone,
    }))
    .toSorted((a, b) => compare(a.host, b.host) || a.port - b.port)
}

function portOf(ports: readonly SlicePort[], wanted: string | number | null): number | null {
  if (typeof wanted === 'number') return wanted
  if (wanted === null) return ports.length === 1 ? (ports[0]?.port ?? null) : null
  return ports.find(({ name }) => name === wanted)?.port ?? null
}

function portFault(slices: readonly Slice[], wanted: string | number | null): string {
  const names = new Set(slices.flatMap(({ ports }) => ports.map(({ name, port }) => name || String(port))))
  const there =
    names.size === 0 ? 'it has no TCP port' : `its ports are ${[...names].toSorted(compare).join(', ')}`
  return wanted === null ? `say which \`port\`: ${there}` : `no port is called \`${wanted}\`: ${there}`
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
