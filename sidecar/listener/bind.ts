import { unlinkSync } from 'node:fs'
import net from 'node:net'
import type { Address } from '../exchange/address.ts'

/**
 * Binds a server to an address.
 * @param failed hears of errors after it is bound
 * @returns the address with the port that was bound, or the Node error code
 */
export function bind(
  server: net.Server,
  address: Address,
  failed: (error: Error) => void,
): Promise<Address | { readonly code: string }> {
  // One that was closed may be bound again.
  server.removeAllListeners('error')
  return new Promise(resolve => {
    const refused = (error: NodeJS.ErrnoException): void => {
      resolve({ code: error.code ?? error.message })
    }
    server.once('error', refused)
    const bound = (): void => {
      server.off('error', refused)
      server.on('error', failed)
      const actual = server.address()
      resolve(
        actual !== null && typeof actual === 'object' && address.kind === 'tcp'
          ? { ...address, port: actual.port }
          : address,
      )
    }
    if (address.kind === 'unix') {
      removeStale(address.path, () => server.listen({ path: address.path }, bound))
    } else {
      const host = address.host === '' ? undefined : address.host
      server.listen({ port: address.port, host, backlog: 1024 }, bound)
    }
  })
}

/** A socket file that nobody answers on is left from a process that was killed. */
function removeStale(path: string, then: () => void): void {
  const probe = net.connect({ path })
  probe.on('connect', () => {
    probe.destroy()
    then()
  })
  probe.on('error', error => {
    if ('code' in error && error.code === 'ECONNREFUSED') {
      try {
        unlinkSync(path)
      } catch {
        // Somebody else removed it; listening says what is wrong, if anything is.
      }
    }
    then()
  })
}
