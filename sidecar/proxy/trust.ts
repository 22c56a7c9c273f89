import { BlockList, isIP } from 'node:net'
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
  const list = new BlockList()
  const ids = new Set(ranges.filter(range => range.startsWith('spiffe://')))
  for (const range of ranges) {
    if (ids.has(range)) continue
    const [address, bits] = range.split('/')
    const family = isIP(address ?? '')
    if (address === undefined || family === 0) throw new Error(`${range} is no address range`)
    const length = bits === undefined ? (family === 4 ? 32 : 128) : Number(bits)
    list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6')
  }
  // A range asks the kernel-style list, which costs more than the rest of a request's hygiene; peers come again.
  const known = new Map<string, boolean>()
  const trust: Trust = {
    empty: false,
    hasPeer: ({ address, identity }) => (identity !== null && ids.has(identity.spiffe)) || trust.has(address),
    has(address) {
      const before = known.get(address)
      if (before !== undefined) return before
      const plain = unmapped(address)
      const family = isIP(plain)
      const trusted = family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6')
      if (known.size >= 1024) known.clear()
      // A copy: an address from a field is a slice of a whole request head.
      known.set(Buffer.from(address, 'latin1').toString('latin1'), trusted)
      return trusted
    },
  }
  return trust
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

/** IPv4-mapped IPv6 (`::ffff:192.0.2.1`) as IPv4. */
function unmapped(address: string): string {
  return /^::ffff:[0-9.]+$/i.test(address) ? address.slice(7) : address
}
