import { isIP } from 'node:net'
import { compileRanges, unmapped } from '../exchange/address-ranges.ts'
import type { Peer } from '../exchange/exchange.ts'

/** Who may speak for others: the addresses of the proxies in front of a listener. */
export interface Trust {
  /** Whether nobody is trusted. */
  readonly empty: boolean
  /** Whether who is at the other end may: by its address, or by the SPIFFE ID that it proved. */
  hasPeer(peer: Pick<Peer, 'address' | 'identity'>): boolean
  /** @param address IP address as text; IPv4-mapped IPv6 counts as IPv4; anything else is not trusted */
  has(address: string): boolean
}

const NOBODY: Trust = { empty: true, has: () => false, hasPeer: () => false }

/**
 * Compiles address ranges (`10.0.0.0/8`, `fd00::/8`, `192.0.2.1`) and SPIFFE IDs (`spiffe://shop/edge`).
 *
 * @throws Error where one of them is no range, which the loader has checked
 */
export function compileTrust(ranges: readonly string[]): Trust {
  if (ranges.length === 0) return NOBODY
  const ids = new Set(ranges.filter(range => range.startsWith('spiffe://')))
  const has = compileRanges(ranges.filter(range => !ids.has(range)))
  return {
    empty: false,
    hasPeer: ({ address, identity }) => (identity !== null && ids.has(identity.spiffe)) || has(address),
    has,
  }
}

/**
 * The client's address: from the peer back through `x-forwarded-for`, as long as who speaks is trusted. The first that
 * is not trusted is the client; so is the last that could be read where an entry is no address, since what stands
 * before it cannot be believed.
 *
 * @param peer who is at the other end of the connection
 * @param forwardedFor all values of `x-forwarded-for`, joined; empty where there is none
 */
export function clientAddress(
  peer: Pick<Peer, 'address' | 'identity'>,
  forwardedFor: string,
  trust: Trust,
): string {
  if (forwardedFor === '' || trust.empty || !trust.hasPeer(peer)) return peer.address
  let client = peer.address
  for (let end = forwardedFor.length; end > 0;) {
    const comma = forwardedFor.lastIndexOf(',', end - 1)
    const address = entryAddress(forwardedFor.slice(comma + 1, end).trim())
    if (address === '') return client
    client = address
    if (comma === -1 || !trust.has(address)) return client
    end = comma
  }
  return client
}

/** The address of one entry, without brackets and port; empty where it is none. */
function entryAddress(entry: string): string {
  if (entry.length > 64) return ''
  let text = entry
  if (text.startsWith('[')) text = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? ''
  else if (text.includes('.')) text = text.replace(/:\d{1,5}$/, match => (isIP(text) === 0 ? '' : match))
  // A zone means something on one machine only.
  return isIP(text) === 0 || text.includes('%') ? '' : unmapped(text)
}
