import { BlockList, isIPv6 } from 'node:net'

/**
 * Where no tunnel goes, whoever names it (row 73): link-local addresses, and those by which clouds give their machines
 * credentials.
 */
const V4: readonly (readonly [address: string, bits: number])[] = [
  // RFC 3927; the metadata of most clouds is 169.254.169.254.
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['192.0.0.192', 32],
]
const V6: readonly (readonly [address: string, bits: number])[] = [
  // RFC 4291 section 2.5.6, and the site-local addresses beside it that RFC 3879 took back.
  ['fe80::', 10],
  ['fec0::', 10],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
]

const forbidden = new BlockList()
for (const [address, bits] of V4) {
  forbidden.addSubnet(address, bits, 'ipv4')
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  const groups = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  // The same in IPv6: mapped and compatible (RFC 4291), translated (RFC 6052, RFC 8215), 6to4 (RFC 3056).
  for (const prefix of ['::ffff:', '::', '64:ff9b::']) forbidden.addSubnet(prefix + groups, 96 + bits, 'ipv6')
  forbidden.addSubnet(`64:ff9b:1::${groups}`, 96 + bits, 'ipv6')
  forbidden.addSubnet(`2002:${groups}::`, 16 + bits, 'ipv6')
}
for (const [address, bits] of V6) forbidden.addSubnet(address, bits, 'ipv6')

/** What only this machine may ask of itself: nobody else gets behind its loopback address by a tunnel. */
const local = new BlockList()
local.addSubnet('127.0.0.0', 8, 'ipv4')
local.addSubnet('0.0.0.0', 8, 'ipv4')
local.addSubnet('::ffff:127.0.0.0', 104, 'ipv6')
local.addSubnet('::ffff:0.0.0.0', 104, 'ipv6')
local.addSubnet('::', 104, 'ipv6')
local.addSubnet('::127.0.0.0', 104, 'ipv6')

/**
 * Whether no connection may be opened to this address because a client asked for it. To be asked of addresses, after
 * names were looked up: a name can lead anywhere.
 * @param address an IP address, perhaps with a zone
 * @param peer the address of who asks; empty on a Unix socket
 */
export function isForbidden(address: string, peer: string): boolean {
  const bare = address.split('%')[0] ?? ''
  const family = isIPv6(bare) ? 'ipv6' : 'ipv4'
  if (forbidden.check(bare, family)) return true
  return local.check(bare, family) && peer !== '' && peer !== '::1' && !peer.startsWith('127.')
}
