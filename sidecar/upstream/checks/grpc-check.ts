import type * as Http2 from 'node:http2'
import net from 'node:net'
import type { Check, CheckOwner, CheckParts } from './check.ts'

/** An answer of the health service has some bytes. */
const MOST_BYTES = 4096

/**
 * Whether `grpc.health.v1.Health/Check` answers SERVING (the gRPC health checking protocol), over cleartext HTTP/2. One
 * call with one field each way, so its messages are written out here; Node's HTTP/2 is loaded when the first check runs.
 */
export class GrpcCheck implements Check {
  readonly #parts: CheckParts
  readonly #service: string
  #owner: CheckOwner | null
  #session: Http2.ClientHttp2Session | null = null
  #status = ''
  #body = Buffer.alloc(0)

  /** @param service that is asked for; empty: the server as a whole */
  constructor(parts: CheckParts, service: string, owner: CheckOwner) {
    this.#parts = parts
    this.#service = service
    this.#owner = owner
    void import('node:http2').then(
      http2 => this.#ask(http2),
      (error: unknown) => this.#end(String(error)),
    )
  }

  abort(): void {
    this.#owner = null
    this.#session?.destroy()
  }

  #ask(http2: typeof Http2): void {
    if (this.#owner === null) return
    const { target, host } = this.#parts
    const session = http2.connect(`http://${host}`, {
      createConnection: () => {
        const socket =
          target.tls === null
            ? net.connect({ ...target.at, autoSelectFamily: false })
            : target.tls.open(target.at, 'h2')
        // Before Node's own listener, which ends the stream first and with an error that says nothing.
        return socket.on('error', error => this.#end(codeOf(error)))
      },
    })
    this.#session = session
    session.on('error', error => this.#end(codeOf(error)))
    session.on('close', () => this.#end('closed'))
    const stream = session.request({
      ':method': 'POST',
      // Else Node adds a port to it.
      ':authority': host,
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      'user-agent': 'outrigger',
      te: 'trailers',
    })
    this.#read(stream)
    stream.end(request(this.#service))
  }

  #read(stream: Http2.ClientHttp2Stream): void {
    let answered = false
    stream.on('response', headers => {
      answered = true
      const status = headers[':status']
      if (status !== 200) this.#end(`status ${status}`)
      this.#take(headers)
    })
    stream.on('trailers', trailers => this.#take(trailers))
    stream.on('data', (bytes: Buffer) => {
      this.#body = Buffer.concat([this.#body, bytes])
      if (this.#body.length > MOST_BYTES) this.#end('bad response')
    })
    stream.on('error', error => this.#end(codeOf(error)))
    stream.on('close', () => this.#end(answered ? verdict(this.#status, this.#body) : 'closed'))
  }

  #take(fields: { readonly [name: string]: string | readonly string[] | number | undefined }): void {
    const status = fields['grpc-status']
    if (typeof status === 'string') this.#status = status
  }

  #end(fault: string): void {
    const owner = this.#owner
    this.abort()
    owner?.onResult(fault)
  }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
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
