import { randomInt } from 'node:crypto'
import net from 'node:net'

/** Below the ports that Linux and macOS give to whoever asks for any, so that nobody gets one of these by chance. */
const FIRST = 20_000
const LAST = 32_000

/**
 * A TCP port on 127.0.0.1 that is free at this moment, for programs that have to be told one. Who binds port 0 and who
 * connects somewhere is never given it, so it is still free when the program is there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
