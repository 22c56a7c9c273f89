import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

/** An identity provider on this machine, as far as keys are concerned: they are served, or not, as the test says. */
export class KeyServer {
  /** Requests that came, by path. */
  readonly asked: string[] = []
  keys: readonly unknown[] = []
  /** What it does: answers; with a 500; closes the connection; never answers; sends elsewhere; answers this text. */
  mode: 'up' | 'failing' | 'closing' | 'hanging' | 'redirecting' | { readonly text: string } = 'up'
  /** What the discovery document says beside `issuer` and `jwks_uri`. */
  discovery: Readonly<Record<string, unknown>> = {}
  readonly #server = http.createServer((request, response) => this.#answer(request, response))

  static async start(): Promise<KeyServer> {
    const server = new KeyServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get issuer(): string {
    // It listens on a TCP port.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get url(): string {
    return `${this.issuer}/jwks.json`
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.asked.push(request.url ?? '')
    const { mode } = this
    if (mode === 'hanging') return
    if (mode === 'closing') {
      response.destroy()
      return
    }
    if (mode === 'failing') {
      response.writeHead(500).end('{}')
      return
    }
    if (mode === 'redirecting') {
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end()
      return
    }
    response.setHeader('content-type', 'application/json')
    if (typeof mode === 'object') response.end(mode.text)
    else if (request.url === '/.well-known/openid-configuration')
      response.end(JSON.stringify({ issuer: this.issuer, jwks_uri: this.url, ...this.discovery }))
    else response.end(JSON.stringify({ keys: this.keys }))
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
