import net from 'node:net'
import { isForbidden } from './forbidden-addresses.ts'
import { type ApiObject, isObject, listOf, textOf } from '../../kubernetes/api-object.ts'

/** A port of all endpoints of a slice. */
export interface SlicePort {
  /** Empty: it has none, as the only port of a Service may. */
  readonly name: string
  readonly port: number
}

/** A pod, or whatever else is behind a Service. */
export interface SliceEndpoint {
  readonly address: string
  /** May take requests: Kubernetes thinks so, or the Service publishes it all the same. */
  readonly ready: boolean
  /** Answers, ready or not. */
  readonly serving: boolean
  /** It is about to go. */
  readonly terminating: boolean
  readonly zone: string
  /** The zones that should use it; empty: none is said. */
  readonly forZones: readonly string[]
}

/** An EndpointSlice of discovery.k8s.io/v1: a part of a Service's endpoints. */
export interface Slice {
  readonly family: 4 | 6
  readonly ports: readonly SlicePort[]
  readonly endpoints: readonly SliceEndpoint[]
  /** How many endpoints were left out because no pod has such an address. */
  readonly refused: number
}

/** More than the API allows in one slice. */
const MAX_ENDPOINTS = 1000

/**
 * Reads a slice as the API server sent it. What is no address, or no TCP port, is left out; a condition that is not
 * said holds as the API says it: `ready` is true, `serving` is as `ready`, `terminating` is false.
 *
 * Slices can be written by hand, for a Service without a selector. Kubernetes refuses addresses of the machine itself and
 * link-local ones in them, but not the metadata services of some clouds; none of these is taken from it (row 73).
 * @param server the host of the API server: only one on this machine may name endpoints on it
 * @returns null for one of names (`addressType: FQDN`), or of nothing that is known
 */
export function readSlice(object: ApiObject, server: string): Slice | null {
  const type = object['addressType']
  if (type !== 'IPv4' && type !== 'IPv6') return null
  const family = type === 'IPv4' ? 4 : 6
  const found = listOf(object['endpoints'])
    .slice(0, MAX_ENDPOINTS)
    .flatMap(one => readEndpoint(one, family))
  const endpoints = found.filter(({ address }) => !isForbidden(address, server))
  return {
    family,
    ports: listOf(object['ports']).flatMap(readPort),
    endpoints,
    refused: found.length - endpoints.length,
  }
}

function readPort(value: unknown): SlicePort[] {
  if (!isObject(value)) return []
  const { name, port, protocol } = value
  if (protocol !== undefined && protocol !== null && protocol !== 'TCP') return []
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return []
  return [{ name: textOf(name), port }]
}

function readEndpoint(value: unknown, family: 4 | 6): SliceEndpoint[] {
  if (!isObject(value)) return []
  // All addresses of an endpoint are one pod's; by the API's word only the first is to be used.
  const address = textOf(listOf(value['addresses'])[0])
  if (net.isIP(address) !== family) return []
  const conditions = isObject(value['conditions']) ? value['conditions'] : {}
  const ready = conditions['ready'] !== false
  const serving = typeof conditions['serving'] === 'boolean' ? conditions['serving'] : ready
  const hints = isObject(value['hints']) ? value['hints'] : {}
  return [
    {
      address,
      ready,
      serving,
      terminating: conditions['terminating'] === true,
      zone: textOf(value['zone']),
      forZones: listOf(hints['forZones']).flatMap(zone =>
        isObject(zone) && textOf(zone['name']) !== '' ? [textOf(zone['name'])] : [],
      ),
    },
  ]
}
