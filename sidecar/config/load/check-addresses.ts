import type { Address } from '../../exchange/address.ts'
import type { ResolvedAdmin, ResolvedListener } from '../resolved.ts'
import { addressText } from './address-text.ts'
import type { Resolution } from './resolution.ts'

/** Two sockets cannot have one address; listeners of one role may share theirs if their hosts differ. */
export function checkAddresses(
  listeners: readonly ResolvedListener[],
  admin: ResolvedAdmin,
  resolution: Resolution,
): void {
  for (const [index, listener] of listeners.entries()) {
    for (const other of listeners.slice(0, index)) checkPair(other, listener, index, resolution)
    for (const [key, address] of [
      ['address', admin.address],
      ['probes', admin.probes],
    ] as const) {
      if (address === null || !overlap(listener.address, address)) continue
      resolution.fault(
        ['listeners', index, 'address'],
        `${addressText(listener.address)} is taken by \`admin.${key}\` (${addressText(address)})`,
        undefined,
      )
    }
  }
  if (admin.probes !== null && overlap(admin.address, admin.probes)) {
    resolution.fault(['admin', 'probes'], `${addressText(admin.probes)} is taken by \`admin.address\``)
  }
}

function checkPair(
  first: ResolvedListener,
  second: ResolvedListener,
  index: number,
  resolution: Resolution,
): void {
  if (!overlap(first.address, second.address)) return
  const path = ['listeners', index, 'address']
  const where = `the listener \`${first.name}\` (${first.at.file}:${first.at.line})`
  if (addressText(first.address) !== addressText(second.address)) {
    resolution.fault(
      path,
      `${addressText(second.address)} overlaps with ${addressText(first.address)} of ${where}`,
      'listeners that share an address write it alike',
    )
  } else if (first.role !== second.role) {
    resolution.fault(path, `${addressText(second.address)} is taken by ${where}, whose role is another`)
  } else if (first.protocol === 'tcp' || second.protocol === 'tcp') {
    resolution.fault(
      path,
      `${addressText(second.address)} is taken by ${where}`,
      'a TCP listener shares its address with no other; write several `routes` with `sni`',
    )
  } else if (first.proxyProtocol !== second.proxyProtocol) {
    resolution.fault(
      path,
      `${addressText(second.address)} is taken by ${where}, which ${first.proxyProtocol ? 'has' : 'does not have'} \`proxyProtocol\``,
      'listeners that share an address have `proxyProtocol` all or none of them',
    )
  } else if ((first.tls === null) !== (second.tls === null)) {
    resolution.fault(
      path,
      `${addressText(second.address)} is taken by ${where}, which ${first.tls === null ? 'is plain' : 'has `tls`'}`,
      'listeners that share an address have `tls` all or none of them',
    )
  } else if (first.hosts.length === 0 && second.hosts.length === 0) {
    resolution.fault(
      path,
      `${addressText(second.address)} is taken by ${where}`,
      'listeners that share an address say their `hosts`; one may have none and takes the rest',
    )
  } else {
    const host = second.hosts.find(one => first.hosts.includes(one))
    if (host !== undefined)
      resolution.fault(
        ['listeners', index, 'hosts'],
        `the host \`${host}\` is served by ${where} on the same address`,
      )
  }
}

function overlap(a: Address, b: Address): boolean {
  if (a.kind === 'unix' || b.kind === 'unix') return a.kind === b.kind && addressText(a) === addressText(b)
  // Port 0 is any free one.
  if (a.port !== b.port || a.port === 0) return false
  if (a.host === b.host) return true
  return isAll(a.host, b.host) || isAll(b.host, a.host)
}

/** Whether listening on `all` takes the address `one` too. */
function isAll(all: string, one: string): boolean {
  return all === '' || all === '::' || (all === '0.0.0.0' && !(one.includes(':') && one !== '::'))
}
