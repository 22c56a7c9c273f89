import type { Socket } from 'node:net'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import { serverNameOf } from './client-hello.ts'
import { FirstBytes } from './first-bytes.ts'
import { parseProxyHeader, type ProxyHeader } from './proxy-protocol.ts'

/** Why there is no header: the fault, or `timeout`, or `closed`. */
export interface NoHeader {
  readonly why: string
}

/**
 * Reads the PROXY protocol header at the start of a connection, and nothing behind it.
 * @param timeout milliseconds for all of it
 */
export function readProxyHeader(
  socket: Socket,
  wheel: TimerWheel,
  timeout: number,
  done: (header: ProxyHeader | NoHeader) => void,
): void {
  let header: ProxyHeader | null = null
  const owner = {
    inspect: (bytes: Buffer) => {
      const parsed = parseProxyHeader(bytes)
      if (parsed === 'partial') return 'more'
      if ('fault' in parsed) return parsed
      header = parsed
      return parsed.length
    },
    onFirst: () => done(header as ProxyHeader), // `inspect` had it
    onNone: (why: string) => done({ why }),
  }
  new FirstBytes(socket, owner, wheel).start(timeout)
}

/**
 * Looks which server name a client asks for when it opens TLS. Takes nothing away.
 * @param done is given the name; empty where there is none: TLS without a name, no TLS, or nothing within the time. Null:
 *   the client has gone
 */
export function readServerName(
  socket: Socket,
  wheel: TimerWheel,
  timeout: number,
  done: (serverName: string | null) => void,
): void {
  let name = ''
  const owner = {
    inspect: (bytes: Buffer) => {
      const found = serverNameOf(bytes)
      if (found !== null && typeof found === 'object') return 'more'
      name = found ?? ''
      return 0
    },
    onFirst: () => done(name),
    onNone: (why: string) => done(why === 'closed' ? null : ''),
  }
  new FirstBytes(socket, owner, wheel).start(timeout)
}
