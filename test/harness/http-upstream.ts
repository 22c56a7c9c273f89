import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as the service got it. */
export interface Seen {
  readonly method: string
  readonly target: string
  /** Names in lower case; lines of one name joined by Node's rules. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** A service of `node:http`: answers every request with what it saw of it as JSON, or does what the test says. */
export class HttpUpstream {
  readonly server: http.Server
  /** Connections that were opened so far. */
  connections = 0

  private constructor(listener: http.RequestListener) {
    this.server = http.createServer(listener)
    this.server.on('connection', () => this.connections++)
  }

  /** Listens on a free port of the loopback address, or on a Unix socket. */
  static async listen(listener: http.RequestListener = mirror, path?: string): Promise<HttpUpstream> {
    const upstream = new HttpUpstream(listener)
    if (path === undefined) upstream.server.listen(0, '127.0.0.1')
    else upstream.server.listen(path)
    await once(upstream.server, 'listening')
    return upstream
  }

  get port(): number {
    // It listens on TCP, or the test has no use for a port.
    return (this.server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close')
    this.server.close()
    this.server.closeAllConnections()
    await closed
  }
}

/** Answers a request with what arrived of it. */
export function mirror(request: http.IncomingMessage, response: http.ServerResponse): void {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const { method = '', url = '', headers } = request
    const seen: Seen = { method, target: url, headers, body: Buffer.concat(parts).toString('latin1') }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(seen))
  })
}

/** What `mirror` answered. */
export function seenBy(body: string | Uint8Array): Seen {
  // `mirror` wrote it.
  return JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString()) as Seen
}
