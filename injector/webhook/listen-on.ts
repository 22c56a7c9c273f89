import type { Server } from 'node:net'

/**
 * Begins to listen on all addresses.
 * @param port 0: any that is free
 * @returns the port, or the code of the error
 */
export function listenOn(server: Server, port: number): Promise<number | string> {
  return new Promise(resolve => {
    // An error later on is one of accepting, when there are no descriptors: it tries again by itself.
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
