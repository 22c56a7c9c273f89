import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { readRequests } from '../harness/strict-http.ts'

/**
 * A service that closes a connection which was idle for some milliseconds, as every server does, only sooner. Counts
 * how often it processed each request, by its path.
 */
export class ImpatientUpstream {
  /** How often each path was processed. */
  readonly processed = new Map<string, number>()
  readonly #server: net.Server
  readonly #idle: number
  readonly #how: 'destroy' | 'fin'
  readonly #sockets = new Set<net.Socket>()
  /** Connections that were closed for being idle. */
  closed = 0

  /** @param how it closes: for both directions at once, or first for its own, reading nothing more */
  private constructor(idle: number, how: 'destroy' | 'fin') {
    this.#idle = idle
    this.#how = how
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#serve(socket))
  }

  static async listen(idle: number, how: 'destroy' | 'fin'): Promise<ImpatientUpstream> {
    const upstream = new ImpatientUpstream(idle, how)
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    return upstream
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port // it listens on TCP
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: net.Socket): void {
    let unread = Buffer.alloc(0)
    let over = false
    this.#sockets.add(socket)
    let timer: NodeJS.Timeout | null = null
    const close = (): void => {
      over = true
      this.closed++
      if (this.#how === 'destroy') socket.destroy()
      else socket.end()
    }
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      if (timer !== null) clearTimeout(timer)
      this.#sockets.delete(socket)
    })
    socket.on('data', (bytes: Buffer) => {
      if (over) return
      unread = Buffer.concat([unread, bytes])
      const { requests, rest } = readRequests(unread)
      unread = Buffer.from(rest)
      for (const request of requests) {
        // From the first answer on: a new connection has more time for its first request.
        timer = timer?.refresh() ?? setTimeout(close, this.#idle)
        this.processed.set(request.target, (this.processed.get(request.target) ?? 0) + 1)
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n' + (request.method === 'HEAD' ? '' : 'ok'))
      }
    })
  }
}
