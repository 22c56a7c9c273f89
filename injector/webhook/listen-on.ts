import type { Server } from 'node:net'

/**
 * Begins to listen.
 * @param port 0: any that is free
 * @param host an address of the machine; all of them where there is none
 * @returns the port, or the code of the error
 */
export function listenOn(server: Server, port: number, host?: string): Promise<number | string> {
  return new Promise(resolve => {
    // An error later on is one of accepting, when there are no descriptors: it tries again by itself.
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ port, host }, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
