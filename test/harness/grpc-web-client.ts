import http from 'node:http'
import http2 from 'node:http2'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { USERS } from '../../examples/grpc/contract.ts'

/** How a call of gRPC-Web is made. */
export interface WebCall {
  readonly method: 'Get' | 'Watch'
  readonly id: string
  readonly text: boolean
  readonly over: 'HTTP/1.1' | 'HTTP/2'
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of a message as it has to be. */
  readonly body?: Buffer | string
}

/** The head of an answer, and its frames as they come. */
export interface WebAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  /** The id of the next user; what the last frame says, as text; null at the end. */
  next(): Promise<string | null>
  /** Gives the call up. */
  cancel(): void
}

/** A message in its frame (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** A client of gRPC-Web on plain sockets, which shares nothing with the proxy. */
export async function callWeb(port: number, call: WebCall): Promise<WebAnswer> {
  const message = framed(USERS[call.method].requestSerialize({ id: call.id }))
  const body = call.body ?? (call.text ? message.toString('base64') : message)
  const type = call.text ? 'application/grpc-web-text' : 'application/grpc-web+proto'
  const headers = { 'content-type': type, 'x-grpc-web': '1', ...call.headers }
  const target = `/shop.Users/${call.method}`
  const { status, head, stream, cancel } =
    call.over === 'HTTP/2'
      ? await overHttp2(port, target, headers, body)
      : await overHttp1(port, target, headers, body)
  const frames = framesOf(stream, call.text)
  return {
    status,
    headers: head,
    cancel,
    next: async () => {
      const { value } = (await frames.next()) as { value?: { flags: number; bytes: Buffer } } // nothing is returned
      if (value === undefined) cancel()
      if (value === undefined) return null
      return value.flags === 0 ? USERS.Get.responseDeserialize(value.bytes).id : value.bytes.toString()
    },
  }
}

interface Sent {
  readonly status: number
  readonly head: Readonly<Record<string, unknown>>
  readonly stream: Readable
  readonly cancel: () => void
}

async function overHttp1(
  port: number,
  path: string,
  headers: Record<string, string>,
  body: Buffer | string,
): Promise<Sent> {
  const request = http.request({ host: '127.0.0.1', port, path, method: 'POST', headers })
  request.end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage] // what node:http says
  return {
    status: response.statusCode ?? 0,
    head: response.headers,
    stream: response,
    cancel: () => request.destroy(),
  }
}

async function overHttp2(
  port: number,
  path: string,
  headers: Record<string, string>,
  body: Buffer | string,
): Promise<Sent> {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  const stream = session.request({ ':method': 'POST', ':path': path, ...headers })
  const writable: Writable = stream
  writable.end(body)
  const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders] // what node:http2 says
  return { status: Number(head[':status']), head, stream, cancel: () => session.destroy() }
}

async function* framesOf(stream: Readable, text: boolean): AsyncGenerator<{ flags: number; bytes: Buffer }> {
  let rest = Buffer.alloc(0)
  let characters = ''
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (text) {
      characters += chunk.toString('latin1')
      const whole = characters.length - (characters.length % 4)
      const groups = characters.slice(0, whole).match(/[^=]+={0,2}/g) ?? []
      characters = characters.slice(whole)
      rest = Buffer.concat([rest, ...groups.map(group => Buffer.from(group, 'base64'))])
    } else rest = Buffer.concat([rest, chunk])
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1)
      yield { flags: rest[0] ?? 0, bytes: rest.subarray(5, end) }
      rest = rest.subarray(end)
    }
  }
  if (rest.length > 0 || characters !== '') throw new Error('the body ends within a frame')
}
