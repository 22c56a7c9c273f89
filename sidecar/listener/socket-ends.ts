import type net from 'node:net'
import type { SocketEnd } from '../exchange/address.ts'

/** IPv4-mapped IPv6 as IPv4. */
function plain(address = ''): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/** Who is at the other end of an accepted connection. */
export function peerOf(socket: net.Socket): SocketEnd {
  // A connection that was reset before it was accepted has no address any more.
  return { address: plain(socket.remoteAddress), port: socket.remotePort ?? 0 }
}

/** Where an accepted connection came in. */
export function localOf(socket: net.Socket): SocketEnd {
  return { address: plain(socket.localAddress), port: socket.localPort ?? 0 }
}
