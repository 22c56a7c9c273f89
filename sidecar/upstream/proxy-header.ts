import { isIPv6 } from 'node:net'
import type { SocketEnd } from '../exchange/address.ts'

/** Which version of the PROXY protocol an upstream is sent. */
export type ProxyProtocolVersion = 'v1' | 'v2'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const PROXY_COMMAND = 0x21
const LOCAL_COMMAND = 0x20
const TCP4 = 0x11
const TCP6 = 0x21

/**
 * The PROXY protocol header (HAProxy, proxy-protocol.txt) that says who opened a connection, and at which address of
 * ours. Where one of the two is no IP address (a Unix socket), it says that it does not know.
 */
export function proxyHeader(
  version: ProxyProtocolVersion,
  source: SocketEnd,
  destination: SocketEnd,
): Buffer {
  const known = source.address !== '' && destination.address !== ''
  // Both ends are of one family: IPv4 beside IPv6 is written as IPv6 (RFC 4291 section 2.5.5.2).
  const wide = isIPv6(source.address) || isIPv6(destination.address)
  return version === 'v1' ? v1(known, wide, source, destination) : v2(known, wide, source, destination)
}

/**
 * The header of a connection that is opened for nobody, such as a health check's: LOCAL, or UNKNOWN in version 1. The
 * service takes it by the connection's own addresses.
 */
export function ownHeader(version: ProxyProtocolVersion): Buffer {
  const nowhere = { address: '', port: 0 }
  const header = proxyHeader(version, nowhere, nowhere)
  if (version === 'v2') header.writeUInt8(LOCAL_COMMAND, 12)
  return header
}

function v1(known: boolean, wide: boolean, source: SocketEnd, destination: SocketEnd): Buffer {
  if (!known) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1')
  const text = ({ address }: SocketEnd): string => (wide && !isIPv6(address) ? `::ffff:${address}` : address)
  const ends = `${text(source)} ${text(destination)} ${source.port} ${destination.port}`
  return Buffer.from(`PROXY ${wide ? 'TCP6' : 'TCP4'} ${ends}\r\n`, 'latin1')
}

function v2(known: boolean, wide: boolean, source: SocketEnd, destination: SocketEnd): Buffer {
  const size = wide ? 16 : 4
  const behind = known ? size * 2 + 4 : 0
  const header = Buffer.alloc(16 + behind)
  SIGNATURE.copy(header)
  header.writeUInt8(PROXY_COMMAND, 12)
  header.writeUInt8(known ? (wide ? TCP6 : TCP4) : 0, 13)
  header.writeUInt16BE(behind, 14)
  if (!known) return header
  for (const [index, { address, port }] of [source, destination].entries()) {
    const at = 16 + index * size
    if (!isIPv6(address)) {
      // The last four bytes; ten zeros and two 0xff in front of them make it IPv6.
      if (wide) header.fill(0xff, at + 10, at + 12)
      header.set(address.split('.').map(Number), at + size - 4)
    } else writeIPv6(header, at, address)
    header.writeUInt16BE(port, 16 + size * 2 + index * 2)
  }
  return header
}

/** @param address without a zone */
function writeIPv6(header: Buffer, at: number, address: string): void {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const hex = (high: string | undefined, low: string | undefined): string =>
    (Number(high) * 256 + Number(low)).toString(16)
  const text =
    dotted === null ? address : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`
  const [front = '', back] = text.split('::', 2)
  const first = front === '' ? [] : front.split(':')
  const last = back === undefined || back === '' ? [] : back.split(':')
  for (const [index, group] of first.entries()) header.writeUInt16BE(parseInt(group, 16), at + index * 2)
  for (const [index, group] of last.entries())
    header.writeUInt16BE(parseInt(group, 16), at + (8 - last.length + index) * 2)
}
