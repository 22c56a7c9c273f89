import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

/** What came with a question. */
interface Question {
  readonly method: string
  readonly authorization: string
  readonly token: string
  readonly hint: string
}

/** An issuer on this machine that says whether tokens are good (RFC 7662): of those that the test gave it, what it gave. */
export class IntrospectionServer {
  readonly asked: Question[] = []
  /** What is said of a token; of others that they are not active. */
  readonly tokens = new Map<string, Readonly<Record<string, unknown>>>()
  /** What it does: answers; when told so; with a status; closes the connection; never answers; sends elsewhere; says this text. */
  mode:
    | 'up'
    | 'closing'
    | 'hanging'
    | 'redirecting'
    | { readonly status: number }
    | { readonly text: string }
    | { readonly gate: Promise<void> } = 'up'
  /** How many questions were open at once, at most. */
  most = 0
  #open = 0
  readonly #server = http.createServer((request, response) => {
    this.most = Math.max(this.most, ++this.#open)
    response.on('close', () => this.#open--)
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => this.#answer(request, new URLSearchParams(body), response))
  })

  static async start(port = 0): Promise<IntrospectionServer> {
    const server = new IntrospectionServer()
    server.#server.listen(port, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get url(): string {
    // It listens on a TCP port.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/introspect`
  }

  #answer(request: http.IncomingMessage, form: URLSearchParams, response: http.ServerResponse): void {
    const { method = '', headers } = request
    const token = form.get('token') ?? ''
    const hint = form.get('token_type_hint') ?? ''
    this.asked.push({ method, authorization: headers.authorization ?? '', token, hint })
    const { mode } = this
    const say = (text = JSON.stringify(this.tokens.get(token) ?? { active: false })): void => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    }
    if (mode === 'up') say()
    else if (mode === 'closing') response.destroy()
    else if (mode === 'redirecting')
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end()
    else if (typeof mode === 'object') {
      if ('text' in mode) say(mode.text)
      else if ('status' in mode) response.writeHead(mode.status).end('{"active":true,"sub":"alice"}')
      else void mode.gate.then(() => say())
    }
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
