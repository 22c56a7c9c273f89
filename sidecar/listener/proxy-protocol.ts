import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import type { SocketEnd } from '../exchange/address.ts'

/** A whole header. */
export interface ProxyHeader {
  /** How many bytes it takes; what follows belongs to the connection. */
  readonly length: number
  /** Who opened the connection at the proxy, and at which address. Null (LOCAL, UNKNOWN): the connection's own count. */
  readonly ends: { readonly source: SocketEnd; readonly destination: SocketEnd } | null
}

/** The longest version 1 header, its CR LF included. */
const V1_MOST = 107
/** The most that a version 2 header may hold behind its first 16 bytes: addresses and TLVs. */
const V2_MOST = 4096
const V2_START = 16
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V1_NAME = Buffer.from('PROXY ', 'latin1')
const CRC32C = 0x03
const PORT = /^(?:0|[1-9]\d{0,4})$/

/**
 * Reads a PROXY protocol header, version 1 or 2 (HAProxy, proxy-protocol.txt), from the start of a connection. Strict:
 * what the specification does not allow is no header, since whoever sends one says whom to believe.
 *
 * @param bytes everything that came so far
 * @returns the header; `partial` where more has to come; else why it is none
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | 'partial' | { readonly fault: string } {
  const first = bytes[0]
  if (first === undefined) return 'partial'
  if (first === SIGNATURE[0]) return begins(bytes, SIGNATURE) ? parseV2(bytes) : refuse('no header')
  return begins(bytes, V1_NAME) ? parseV1(bytes) : refuse('no header')
}

/** Whether the bytes, as far as they go, are those of the pattern. */
function begins(bytes: Buffer, pattern: Buffer): boolean {
  const length = Math.min(bytes.length, pattern.length)
  return bytes.compare(pattern, 0, length, 0, length) === 0
}

function refuse(fault: string): { readonly fault: string } {
  return { fault }
}

function parseV1(bytes: Buffer): ProxyHeader | 'partial' | { readonly fault: string } {
  const end = bytes.subarray(0, V1_MOST).indexOf('\r\n')
  if (end === -1) return bytes.length >= V1_MOST ? refuse('version 1: longer than 107 bytes') : 'partial'
  const line = bytes.toString('latin1', V1_NAME.length, end)
  const length = end + 2
  // What a sender that knows no address puts behind it is not looked at, but has to be a line.
  if (/^UNKNOWN(?: [\x20-\x7e]*)?$/.test(line)) return { length, ends: null }
  const [family, source = '', destination = '', sourcePort = '', destinationPort = '', more] = line.split(' ')
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : null
  if (isAddress === null) return refuse('version 1: unknown family')
  if (more !== undefined || !isAddress(source) || !isAddress(destination))
    return refuse('version 1: bad address')
  if (![sourcePort, destinationPort].every(port => PORT.test(port) && Number(port) <= 65_535))
    return refuse('version 1: bad port')
  return {
    length,
    ends: {
      source: { address: canonical(source), port: Number(sourcePort) },
      destination: { address: canonical(destination), port: Number(destinationPort) },
    },
  }
}

/** A zone means something on one machine only. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

function parseV2(bytes: Buffer): ProxyHeader | 'partial' | { readonly fault: string } {
  if (bytes.length < V2_START) return 'partial'
  const command = bytes.readUInt8(12)
  if (command !== 0x20 && command !== 0x21) return refuse('version 2: unknown version or command')
  const behind = bytes.readUInt16BE(14)
  if (behind > V2_MOST) return refuse(`version 2: longer than ${V2_MOST} bytes`)
  const length = V2_START + behind
  if (bytes.length < length) return 'partial'
  // LOCAL: the proxy's own connection, such as a health check. The specification has the rest ignored.
  if (command === 0x20) return { length, ends: null }
  const header = bytes.subarray(0, length)
  const family = bytes.readUInt8(13)
  const size = ADDRESS_BYTES.get(family)
  if (size === undefined) return refuse('version 2: unknown family')
  if (behind < size) return refuse('version 2: addresses cut off')
  const fault = checkTlvs(header, V2_START + size)
  if (fault !== '') return refuse(fault)
  return { length, ends: family === 0x11 ? endsOf(header, 4) : family === 0x21 ? endsOf(header, 16) : null }
}

/** By family and protocol: how many bytes the addresses take. Datagrams do not come on a stream. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x21, 36],
  [0x31, 216],
])

function endsOf(header: Buffer, size: 4 | 16): ProxyHeader['ends'] {
  const at = (index: number): SocketEnd => ({
    address: addressOf(header.subarray(V2_START + index * size, V2_START + (index + 1) * size)),
    port: header.readUInt16BE(V2_START + size * 2 + index * 2),
  })
  return { source: at(0), destination: at(1) }
}

function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16))
  return canonical(groups.join(':'))
}

/** One spelling for each address; IPv4-mapped IPv6 as IPv4. */
function canonical(address: string): string {
  if (isIPv4(address)) return address
  const text = new SocketAddress({ address, family: 'ipv6' }).address
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/.test(text) ? text.slice(7) : text
}

/** What is wrong with the fields behind the addresses; empty where nothing is. */
function checkTlvs(header: Buffer, from: number): string {
  let checksum = -1
  for (let at = from; at < header.length;) {
    if (at + 3 > header.length) return 'version 2: a field cut off'
    const value = at + 3
    const size = header.readUInt16BE(at + 1)
    if (value + size > header.length) return 'version 2: a field cut off'
    if (header[at] === CRC32C) {
      if (size !== 4 || checksum !== -1) return 'version 2: bad checksum field'
      checksum = value
    }
    at = value + size
  }
  if (checksum === -1) return ''
  const copy = Buffer.from(header)
  copy.writeUInt32BE(0, checksum)
  return crc32c(copy) === header.readUInt32BE(checksum) ? '' : 'version 2: wrong checksum'
}

/** CRC-32C (Castagnoli; RFC 3720 appendix B.4). Bit by bit: a header with a checksum is rare and short. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}
