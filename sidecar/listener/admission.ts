import type { ListenerLimits } from '../exchange/connection-settings.ts'
import { addressKey } from '../exchange/request-key.ts'

/** What admission asks of the process. */
export interface AdmissionParts {
  /** Connections that may be open at once over all acceptors. */
  readonly maxConnections: number
  /** Open client connections over all acceptors. */
  connections: number
}

/**
 * How many connections one address of ours lets in: over all, and of each client address, of IPv6 each /64. Those of
 * this machine and of trusted proxies are not counted by address, since they bring the clients of many.
 */
export class Admission {
  readonly #parts: AdmissionParts
  readonly #trusts: (address: string) => boolean
  readonly #byAddress = new Map<string, number>()

  constructor(parts: AdmissionParts, trusts: (address: string) => boolean) {
    this.#parts = parts
    this.#trusts = trusts
  }

  /**
   * Takes a place for a connection.
   * @returns null where there is none; else what it is counted by, empty where by none: to be given to `leave`
   */
  enter(address: string, limits: ListenerLimits): string | null {
    const global = Math.min(this.#parts.maxConnections, limits.connections ?? Infinity)
    if (this.#parts.connections >= global) return null
    const perAddress = limits.connectionsPerAddress
    const counted = perAddress !== null && this.#counts(address) ? (addressKey(address) ?? '') : ''
    const open = counted === '' ? 0 : (this.#byAddress.get(counted) ?? 0)
    if (perAddress !== null && open >= perAddress) return null
    this.#parts.connections++
    if (counted !== '') this.#byAddress.set(counted, open + 1)
    return counted
  }

  /** The connection is gone. Once for each that entered. */
  leave(counted: string): void {
    this.#parts.connections--
    if (counted === '') return
    const count = (this.#byAddress.get(counted) ?? 1) - 1
    if (count === 0) this.#byAddress.delete(counted)
    else this.#byAddress.set(counted, count)
  }

  #counts(address: string): boolean {
    if (address === '' || address === '::1' || address.startsWith('127.')) return false
    return !this.#trusts(address)
  }
}
