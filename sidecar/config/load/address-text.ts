import { isIP } from 'node:net'
import type { Address } from '../../exchange/address.ts'

/** What an address is for: one to listen on (an IP address, or none for all), or one to connect to (a name is fine). */
export type AddressUse = 'listen' | 'connect'

const NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/

/**
 * Reads `host:port`, `:port`, `[::1]:port` or `unix:/path`. A port of 0 is any free one, to listen on only.
 * @returns the address, or text that says what is wrong with it
 */
export function parseAddress(text: string, use: AddressUse): Address | string {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length)
    return path === '' ? 'expected a path after `unix:`' : { kind: 'unix', path }
  }
  const match = /^(\[[^\]]*\]|[^:[\]]*):(\d{1,5})$/.exec(text)
  if (match === null) {
    if (/^\d+$/.test(text)) return `expected an address: \`:${text}\` is port ${text} on all interfaces`
    if (isIP(text) === 6) return `an IPv6 address stands in brackets: "[${text}]:8080"`
    if (/^[a-z]+:\/\//i.test(text)) return 'expected `host:port`, not a URL'
    return 'expected an address: `host:port`, `:port`, `"[::1]:port"` or `unix:/path`'
  }
  const port = Number(match[2])
  if (port > 65_535 || (port === 0 && use === 'connect')) return `${match[2]} is no port`
  const written = match[1] ?? ''
  const host = written.startsWith('[') ? written.slice(1, -1) : written.toLowerCase()
  if (written.startsWith('[') && isIP(host) !== 6) return `${written} is no IPv6 address`
  if (use === 'listen') {
    if (host === 'localhost') return { kind: 'tcp', host: '127.0.0.1', port }
    if (host !== '' && isIP(host) === 0)
      return `expected an IP address to listen on, not the name \`${host}\``
    return { kind: 'tcp', host, port }
  }
  if (host === '') return 'expected a host before the port'
  if (isIP(host) === 0 && (!NAME.test(host) || /^[\d.]+$/.test(host))) return `\`${host}\` is no host name`
  return { kind: 'tcp', host, port }
}

/** Whether only this machine can reach it. */
export function isLoopback(address: Address): boolean {
  if (address.kind === 'unix') return true
  return address.host === '::1' || address.host === 'localhost' || address.host.startsWith('127.')
}

/** The address as it is written: what errors and labels show. */
export function addressText(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}
