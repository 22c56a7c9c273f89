import { BlockList, isIP } from 'node:net'

/** How many answers are kept. */
const KEPT = 1024

/** Whether an IP address, as text, is in one of the ranges; IPv4-mapped IPv6 counts as IPv4, and what is no address is in none. */
export type AddressRanges = (address: string) => boolean

/**
 * Compiles address ranges: `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`.
 * @throws Error where one of them is no range, which the loader has checked
 */
export function compileRanges(ranges: readonly string[]): AddressRanges {
  const list = new BlockList()
  for (const range of ranges) {
    const [address, bits] = range.split('/')
    const family = isIP(address ?? '')
    if (address === undefined || family === 0) throw new Error(`${range} is no address range`)
    const length = bits === undefined ? (family === 4 ? 32 : 128) : Number(bits)
    list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6')
  }
  // A range asks the kernel-style list, which costs more than the rest of a request's hygiene; peers come again.
  const known = new Map<string, boolean>()
  return address => {
    const before = known.get(address)
    if (before !== undefined) return before
    const plain = unmapped(address)
    const family = isIP(plain)
    const within = family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6')
    if (known.size >= KEPT) known.clear()
    // A copy: an address from a field is a slice of a whole request head.
    known.set(Buffer.from(address, 'latin1').toString('latin1'), within)
    return within
  }
}

/** IPv4-mapped IPv6 (`::ffff:192.0.2.1`) as IPv4. */
export function unmapped(address: string): string {
  return /^::ffff:[0-9.]+$/i.test(address) ? address.slice(7) : address
}
