import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Address } from '../exchange/address.ts'

/** Why a request is not served. */
export interface Refusal {
  readonly status: number
  readonly detail: string
}

/** How one address of the admin server is guarded. */
export interface GuardOptions {
  /** Only health, readiness and metrics, under any Host. */
  readonly probes: boolean
  /** What writes must bring. Null: nothing on loopback; elsewhere there are no writes. */
  readonly token: string | null
}

/** Whether only this machine reaches the address. */
export function isLoopback(address: Address): boolean {
  if (address.kind === 'unix') return true
  return address.host === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address.host)
}

/**
 * Refuses what a web page can make a browser send: such a request has an `Origin`, or, where the page's name was bound
 * to our address afterwards (DNS rebinding), the name of the page as its Host. An address as Host cannot be rebound.
 */
export function refuseForeign(
  request: IncomingMessage,
  address: Address,
  options: GuardOptions,
): Refusal | null {
  if (request.headers.origin !== undefined)
    return { status: 403, detail: 'Requests with an Origin are refused' }
  if (options.probes || address.kind === 'unix') return null
  const host = hostName(request.headers.host ?? '')
  const own = [address.host, request.socket.localAddress?.replace(/^::ffff:/, '')]
  if (host !== '' && ['localhost', '127.0.0.1', '::1', ...own].includes(host)) return null
  return { status: 403, detail: 'The Host must be localhost or the address of this listener' }
}

/** Refuses a write without the token. A token that is set is asked for on loopback too. */
export function refuseWrite(
  request: IncomingMessage,
  address: Address,
  options: GuardOptions,
): Refusal | null {
  if (options.token === null) {
    if (isLoopback(address)) return null
    return { status: 403, detail: 'Writes need admin.token where admin.address is not loopback' }
  }
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (given !== undefined && timingSafeEqual(digest(given), digest(options.token))) return null
  return { status: 401, detail: 'A write needs the admin token as a bearer token' }
}

// Digests have one length, which is what the comparison needs, and say nothing about that of the token.
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** The name or address in a Host field in lower case, without port and brackets; empty where it is none. */
function hostName(host: string): string {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:@/[\]]+))(?::\d{1,5})?$/i.exec(host)
  return (parts?.[1] ?? parts?.[2] ?? '').toLowerCase()
}
