import http from 'node:http'

/**
 * The upstream of the suites: echoes every body under every method, and counts the requests that arrived whole.
 * `/raw?TEXT` answers with TEXT (base64, a field line) as it is in the head of its response.
 */
export class EchoOrigin {
  /** Requests that arrived whole so far. */
  whole = 0
  readonly #server: http.Server

  constructor() {
    this.#server = http.createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        this.whole++
        const line = /^\/raw\?(.*)$/.exec(request.url ?? '')?.[1]
        if (line === undefined) {
          response.end(Buffer.concat(parts))
          return
        }
        const field = Buffer.from(decodeURIComponent(line), 'base64')
        const head = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n')
        request.socket.end(Buffer.concat([head, field, Buffer.from('\r\n\r\nok')]))
      })
    })
  }

  /** Listens on a free port of 127.0.0.1 and returns it. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => {
        const address = this.#server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }
}
