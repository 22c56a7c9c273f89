import type * as Http2 from 'node:http2'
import type { Destination } from '../../runtime/destination.ts'
import { type Decision, type DecisionClient, MAX_ANSWER, type Question } from './decision.ts'
import { connect } from './http-client.ts'
import { decodeCheck, encodeCheck } from './messages.ts'

const PATH = '/envoy.service.auth.v3.Authorization/Check'

/**
 * Asks Envoy's `ext_authz` contract over gRPC: one HTTP/2 session an endpoint, opened by the first question and kept
 * until it fails. One call with two messages, so they are written out here.
 */
export class GrpcDecisions implements DecisionClient {
  readonly #authority: string
  readonly #timeout: number
  readonly #sessions = new Map<Destination, Http2.ClientHttp2Session>()
  #closed = false

  /** @param timeout milliseconds, which the service is told */
  constructor(upstream: { readonly authority: string }, timeout: number) {
    this.#authority = upstream.authority
    this.#timeout = timeout
  }

  ask(target: Destination, question: Question, decided: (decision: Decision) => void): () => void {
    let over = false
    let stream: Http2.ClientHttp2Stream | null = null
    const end = (decision: Decision): void => {
      if (over) return
      over = true
      decided(decision)
    }
    // Loaded by the first question, and then at hand.
    void import('node:http2').then(
      http2 => {
        if (over || this.#closed) return
        stream = this.#session(target, http2).request({
          ':method': 'POST',
          ':scheme': target.tls === null ? 'http' : 'https',
          ':authority': this.#authority,
          ':path': PATH,
          'content-type': 'application/grpc',
          'grpc-timeout': `${this.#timeout}m`,
          'user-agent': 'outrigger',
          te: 'trailers',
        })
        read(stream, end)
        stream.end(framed(encodeCheck(question)))
      },
      (error: unknown) => end({ kind: 'failed', cause: String(error), status: 0 }),
    )
    return () => {
      over = true
      stream?.close()
      // It did not answer in time: the next question finds out whether anybody is there.
      if (stream !== null) this.#forget(target)
    }
  }

  #session(target: Destination, http2: typeof Http2): Http2.ClientHttp2Session {
    const known = this.#sessions.get(target)
    if (known !== undefined && !known.closed && !known.destroyed) return known
    const session = http2.connect(`http://${this.#authority}`, {
      createConnection: () => connect(target, 'h2').on('error', () => session.destroy()),
      settings: { enablePush: false },
    })
    // Its streams say what failed.
    session.on('error', () => {})
    session.on('goaway', () => this.#drop(target, session))
    session.on('close', () => this.#drop(target, session))
    this.#sessions.set(target, session)
    return session
  }

  #forget(target: Destination): void {
    const session = this.#sessions.get(target)
    if (session === undefined) return
    this.#drop(target, session)
    // Those that are under way come to their own ends.
    session.close()
  }

  #drop(target: Destination, session: Http2.ClientHttp2Session): void {
    if (this.#sessions.get(target) === session) this.#sessions.delete(target)
  }

  close(): void {
    this.#closed = true
    for (const session of this.#sessions.values()) session.destroy()
    this.#sessions.clear()
  }
}

function read(stream: Http2.ClientHttp2Stream, end: (decision: Decision) => void): void {
  const chunks: Buffer[] = []
  let size = 0
  let http = 0
  let grpc = ''
  let cause = ''
  const fail = (why: string): void => {
    end({ kind: 'failed', cause: why, status: 0 })
    stream.close()
  }
  const take = (fields: Readonly<Record<string, unknown>>): void => {
    const status = fields['grpc-status']
    if (typeof status === 'string') grpc = status
  }
  stream.on('response', fields => {
    http = Number(fields[':status'])
    take(fields)
  })
  stream.on('trailers', take)
  stream.on('data', (bytes: Buffer) => {
    size += bytes.length
    if (size > MAX_ANSWER) fail('the answer is too large')
    else chunks.push(bytes)
  })
  stream.on('error', (error: NodeJS.ErrnoException) => {
    cause = error.code ?? error.message
  })
  stream.on('close', () => {
    if (http === 0) return fail(cause || 'closed')
    if (http !== 200) return fail(`status ${http}`)
    if (grpc !== '0') return fail(grpc === '' ? cause || 'the answer was cut' : `grpc status ${grpc}`)
    const body = Buffer.concat(chunks)
    // Not compressed, and one whole message.
    if (body.length < 5 || body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5)
      return fail('the answer is no message')
    end(decodeCheck(body.subarray(5)))
  })
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}
