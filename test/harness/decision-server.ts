import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'

/** What a question was about, as far as tests look at it: the texts in the message, in their order. */
interface Asked {
  readonly path: string
  readonly timeout: string
  readonly message: Buffer
}

/** A service that decides by Envoy's `ext_authz` contract over cleartext HTTP/2, with the bytes that the test gives it. */
export class DecisionServer {
  readonly asked: Asked[] = []
  /** The CheckResponse, in hex; or `hanging`, `resetting`, or a gRPC status. */
  answer: string | { readonly status: string } = '0a00'
  /** Sessions that were opened. */
  sessions = 0
  readonly #open = new Set<http2.ServerHttp2Session>()
  readonly #server = http2.createServer()

  static async start(): Promise<DecisionServer> {
    const server = new DecisionServer()
    server.#server.on('session', session => {
      server.sessions++
      server.#open.add(session)
      session.on('close', () => server.#open.delete(session))
      session.on('error', () => {})
    })
    server.#server.on('stream', (stream: http2.ServerHttp2Stream, headers) => server.#take(stream, headers))
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    // It listens on a TCP port.
    return (this.#server.address() as AddressInfo).port
  }

  #take(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    const parts: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('end', () => {
      const message = Buffer.concat(parts).subarray(5)
      this.asked.push({ path: String(headers[':path']), timeout: String(headers['grpc-timeout']), message })
      this.#reply(stream)
    })
  }

  #reply(stream: http2.ServerHttp2Stream): void {
    const { answer } = this
    if (answer === 'hanging') return
    if (answer === 'resetting') {
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
      return
    }
    const fields = { ':status': 200, 'content-type': 'application/grpc' }
    if (typeof answer === 'object') {
      stream.respond({ ...fields, 'grpc-status': answer.status }, { endStream: true })
      return
    }
    const message = Buffer.from(answer, 'hex')
    const prefix = Buffer.alloc(5)
    prefix.writeUInt32BE(message.length, 1)
    stream.respond(fields, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.concat([prefix, message]))
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    for (const session of this.#open) session.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
