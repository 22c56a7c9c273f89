import { type BodySink, type BodySource, BufferedBody } from '../../exchange/body.ts'
import { headerValue, type HeaderList } from '../../exchange/headers.ts'
import type { ConnectionWaiter, OutgoingConnection } from '../../exchange/outgoing.ts'
import type { OutgoingRequest, ResponseHead, ResponseTaker } from '../../exchange/outgoing.ts'
import type { ProxyError } from '../../exchange/proxy-error.ts'
import type { SessionPool, SessionPoolParts } from '../../http2/session-pool.ts'
import type { Check, CheckOwner, CheckParts } from './check.ts'
import { faultOf } from './http-question.ts'
import { ownSession } from './own-session.ts'

/** An answer of the health service has some bytes. */
const MOST_BYTES = 4096

/**
 * Whether `grpc.health.v1.Health/Check` answers SERVING (the gRPC health checking protocol), over HTTP/2 whatever the
 * upstream's requests speak. One call with one field each way, so its messages are written out here.
 */
export class GrpcCheck implements Check, ConnectionWaiter, OutgoingRequest, ResponseTaker {
  readonly method = 'POST'
  readonly target = '/grpc.health.v1.Health/Check'
  readonly host: string
  readonly headers = ['content-type', 'application/grpc', 'user-agent', 'outrigger', 'te', 'trailers']
  readonly body: BodySource
  readonly tunnel = null
  readonly expectsContinue = false
  readonly #pool: SessionPool
  #owner: CheckOwner | null
  #connection: OutgoingConnection | null = null

  /** @param service that is asked for; empty: the server as a whole */
  constructor(parts: CheckParts, service: string, owner: CheckOwner, sessions: SessionPoolParts) {
    this.host = parts.host
    this.body = new BufferedBody(request(service))
    this.#owner = owner
    this.#pool = ownSession(parts.target, sessions)
    this.#pool.acquire(this, false)
  }

  abort(): void {
    this.#owner = null
    this.#connection?.abort(this)
    this.#pool.cancel(this)
    this.#pool.close()
  }

  onConnection(connection: OutgoingConnection): void {
    this.#connection = connection
    connection.send(this, this)
  }

  onNoConnection(error: ProxyError): void {
    this.#end(faultOf(error))
  }

  onInformational(): void {}
  onRequestSent(): void {}

  onResponse({ status, headers }: ResponseHead, body: BodySource): void {
    if (status !== 200) this.#end(`status ${status}`)
    else body.start(new Answer(headerValue(headers, 'grpc-status') ?? '', fault => this.#end(fault)))
  }

  onFailure(error: ProxyError): void {
    this.#end(faultOf(error))
  }

  #end(fault: string): void {
    const owner = this.#owner
    this.abort()
    owner?.onResult(fault)
  }
}

/** What the health service says: a message, and a status behind it. */
class Answer implements BodySink {
  readonly #done: (fault: string) => void
  #status: string
  #message = Buffer.alloc(0)

  /** @param status that the headers had, where there is no message; empty: none */
  constructor(status: string, done: (fault: string) => void) {
    this.#status = status
    this.#done = done
  }

  chunk(bytes: Buffer): boolean {
    this.#message = Buffer.concat([this.#message, bytes])
    if (this.#message.length > MOST_BYTES) this.#done('bad response')
    return true
  }

  end(trailers: HeaderList | null): void {
    this.#status = headerValue(trailers ?? [], 'grpc-status') ?? this.#status
    this.#done(verdict(this.#status, this.#message))
  }

  abort(error: ProxyError): void {
    this.#done(faultOf(error))
  }
}

/** A HealthCheckRequest, whose field 1 is the service, behind its length (gRPC over HTTP/2). */
function request(service: string): Buffer {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name])
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** The states of a service, and what each is called where it is not well. */
const STATES: Readonly<Record<number, string>> = {
  0: 'unknown',
  1: '',
  2: 'not serving',
  3: 'service unknown',
}

const STATUSES: Readonly<Record<string, string>> = {
  '5': 'service unknown',
  '12': 'no health service',
}

function verdict(status: string, body: Buffer): string {
  if (status === '') return 'bad response'
  if (status !== '0') return STATUSES[status] ?? `grpc status ${status}`
  // Not compressed, and one whole message.
  if (body.length < 5 || body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5) return 'bad response'
  return STATES[servingStatus(body.subarray(5))] ?? 'bad response'
}

/** Field 1 of a HealthCheckResponse, a varint; a message without it says 0. -1 where it is no such message. */
function servingStatus(message: Buffer): number {
  if (message.length === 0) return 0
  if (message[0] !== 0x08 || message.length !== 2) return -1
  return message[1] ?? -1
}
