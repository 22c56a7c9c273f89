import type { Address } from '../exchange/address.ts'

/** One written endpoint: an address, or a name that is resolved to several. Weights are relative. */
export interface EndpointSpec {
  readonly address: Address
  readonly weight: number
}

/** An upstream as the loader resolved it: plain data. */
export interface UpstreamSpec {
  readonly name: string
  readonly endpoints: readonly EndpointSpec[]
  /** The authority of `url` (host, and port where it is not 80), else the upstream's name: what an outbound listener sends as Host. */
  readonly authority: string
  /** What `url` puts in front of the path, without a final slash; empty: nothing. */
  readonly basePath: string
  readonly loadBalance: 'round-robin' | 'least-request'
  readonly limits: { readonly inFlight: number; readonly pending: number }
  readonly connection: {
    readonly connect: number
    readonly keepAlive: number
  }
}
