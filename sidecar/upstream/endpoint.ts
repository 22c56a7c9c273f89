import { createHash } from 'node:crypto'
import type { Address } from '../exchange/address.ts'
import type { ConnectionPool } from '../exchange/outgoing.ts'
import type { Destination, SecureDialer } from '../runtime/destination.ts'
import type { OutlierRecord } from './outlier-record.ts'

/**
 * One place where an upstream is served, and what is known of it: its connections and how much is under way. Live
 * state: it outlives the generations whose upstreams use it, as long as one of them does.
 */
export class Endpoint {
  readonly address: Address
  /** `10.0.0.1:8080`, `[::1]:8080` or `unix:/run/app.sock`: for labels and logs. */
  readonly label: string
  /** Where connections to it go. Where those begin with a header, it is that of connections of our own. */
  readonly target: Destination
  readonly pool: ConnectionPool
  #token = ''
  /** Requests that were given to it and are not over. */
  inFlight = 0
  /** What its traffic showed. */
  readonly outlier: OutlierRecord
  /** Whether no upstream has used it yet. */
  fresh = true
  /** When its slow start began, on the wheel's clock; null: it never had one. */
  warmSince: number | null = null

  constructor(
    address: Address,
    tls: SecureDialer | null,
    outlier: OutlierRecord,
    pool: (target: Destination) => ConnectionPool,
    preface: Buffer | null = null,
  ) {
    this.outlier = outlier
    this.address = address
    this.label = addressLabel(address)
    this.target = {
      at: address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
      tls,
      ...(preface === null ? {} : { preface }),
    }
    this.pool = pool(this.target)
  }

  /**
   * What stands for it in an affinity cookie: 64 bits of SHA-256, the same in every process. It does not say the address,
   * but who guesses an address can check the guess. Made when it is first asked for.
   */
  get token(): string {
    if (this.#token === '')
      this.#token = createHash('sha256').update(`affinity\n${this.label}`).digest('hex').slice(0, 16)
    return this.#token
  }
}

/** An address as people write it. */
export function addressLabel(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}
