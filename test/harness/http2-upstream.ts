import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'

/** What a service does with a stream. */
export type Handler = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void

/** A service of `node:http2`: h2c, or over TLS. Answers every request with what it saw of it, or does what the test says. */
export class Http2Upstream {
  readonly server: http2.Http2Server | http2.Http2SecureServer
  /** Those that are open. */
  readonly sessions = new Set<http2.ServerHttp2Session>()
  /** Sessions that were opened so far. */
  opened = 0
  /** Streams that were opened so far, and those that are open. */
  streams = 0
  busy = 0

  private constructor(handler: Handler, options: http2.SecureServerOptions | null) {
    this.server =
      options?.cert === undefined ? http2.createServer(options ?? {}) : http2.createSecureServer(options)
    this.server.on('session', (session: http2.ServerHttp2Session) => {
      this.opened++
      this.sessions.add(session)
      session.on('close', () => this.sessions.delete(session))
      session.on('error', () => {})
    })
    this.server.on('sessionError', () => {})
    this.server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      this.streams++
      this.busy++
      stream.on('close', () => this.busy--)
      stream.on('error', () => {})
      handler(stream, headers)
    })
  }

  /** Listens on a free port of the loopback address. With a certificate in the options: over TLS. */
  static async listen(
    handler: Handler = mirrorStream,
    options: http2.SecureServerOptions | null = null,
  ): Promise<Http2Upstream> {
    const upstream = new Http2Upstream(handler, options)
    upstream.server.listen(0, '127.0.0.1')
    await once(upstream.server, 'listening')
    return upstream
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port // it listens on TCP
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close')
    this.server.close()
    for (const session of this.sessions) session.destroy()
    await closed
  }
}

/** Answers a request with what arrived of it. */
export function mirrorStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  const parts: Buffer[] = []
  let trailers: http2.IncomingHttpHeaders = {}
  stream.on('data', (part: Buffer) => parts.push(part))
  stream.on('trailers', (came: http2.IncomingHttpHeaders) => {
    trailers = came
  })
  stream.on('end', () => {
    if (stream.destroyed) return
    stream.respond({ ':status': 200, 'content-type': 'application/json' })
    stream.end(JSON.stringify({ headers, trailers, body: Buffer.concat(parts).toString('latin1') }))
  })
}

/** What `mirrorStream` answered. */
export function streamSeenBy(body: string | Uint8Array): {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly trailers: Readonly<Record<string, string | undefined>>
  readonly body: string
} {
  // `mirrorStream` wrote it.
  return JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString())
}
