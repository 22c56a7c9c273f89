import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

/** A token endpoint that makes `for-NAME-1`, `for-NAME-2`, ... of a token of NAME; what cannot be read is of `somebody`. */
export class TokenEndpoint {
  readonly asked: { readonly authorization: string; readonly form: Record<string, string> }[] = []
  /** What it answers in place of that: a status with JSON, or nothing at all. */
  instead: { readonly status: number; readonly json: unknown } | 'silence' | null = null
  /** More members of a good answer. */
  more: Record<string, unknown> = { expires_in: 100 }
  readonly #server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const form = Object.fromEntries(new URLSearchParams(body))
      this.asked.push({ authorization: request.headers.authorization ?? '', form })
      if (this.instead === 'silence') return
      const sub = nameIn(form['subject_token'] ?? '')
      const json = { access_token: `for-${sub}-${this.asked.length}`, token_type: 'Bearer', ...this.more }
      const { status, json: said } = this.instead ?? { status: 200, json }
      response.writeHead(status, { location: '/elsewhere' }).end(JSON.stringify(said))
    })
  })

  static async start(t: TestContext): Promise<TokenEndpoint> {
    const endpoint = new TokenEndpoint()
    endpoint.#server.listen(0, '127.0.0.1')
    await once(endpoint.#server, 'listening')
    t.after(() => {
      endpoint.#server.closeAllConnections()
      endpoint.#server.close()
    })
    return endpoint
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token` // it listens on TCP
  }
}

function nameIn(token: string): string {
  const payload = token.split('.')[1]
  if (payload === undefined) return 'somebody'
  // The test signed it.
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string }).sub
}
