import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'

/**
 * A loopback port that is free now, for outside programs that cannot bind port 0 and say which one they got. Another
 * process may take it in between: whoever uses it tries again with another.
 */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  server.close()
  await once(server, 'close')
  return port
}
