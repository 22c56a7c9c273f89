import { once } from 'node:events'
import net from 'node:net'
import { DEFAULT_TIMEOUT, RawConnection } from './raw-connection.ts'
import type { WireResponse } from './strict-http.ts'
import { readResponse } from './strict-http.ts'

/** A client that sends exactly the bytes it is told, and reads responses with a parser of its own. */
export class RawClient extends RawConnection {
  /** Connects to a port on the loopback address, or to a Unix socket. */
  static async connect(to: number | { readonly path: string }): Promise<RawClient> {
    const target = typeof to === 'number' ? { host: '127.0.0.1', port: to } : { path: to.path }
    const socket = net.connect({ ...target, allowHalfOpen: true })
    const client = new RawClient(socket)
    await once(socket, 'connect', { signal: AbortSignal.timeout(DEFAULT_TIMEOUT) })
    return client
  }

  /**
   * Reads one final response, with the informational ones before it. One that the connection's end cut off is answered
   * with `complete: false`.
   * @param options `method` is what was asked: a response to HEAD has no body
   */
  async readResponse(options: { method?: string; timeout?: number } = {}): Promise<WireResponse> {
    return this.wait(
      'a response',
      () => {
        const response = readResponse(this.unread, options.method ?? 'GET', this.ended || this.isClosed)
        if (response !== null) this.take(response.length)
        return response
      },
      options.timeout,
    )
  }

  /** Sends a request and reads its response. */
  async ask(
    bytes: string | Uint8Array,
    options: { method?: string; timeout?: number } = {},
  ): Promise<WireResponse> {
    this.send(bytes)
    return this.readResponse(options)
  }
}

/** Connects, sends one request, reads its response and closes. */
export async function askOnce(
  port: number,
  bytes: string | Uint8Array,
  options: { method?: string; timeout?: number } = {},
): Promise<WireResponse> {
  const client = await RawClient.connect(port)
  try {
    return await client.ask(bytes, options)
  } finally {
    client.destroy()
  }
}
