import { createHash } from 'node:crypto'
import type http from 'node:http'
import type { Duplex } from 'node:stream'
import { HttpUpstream, mirror } from './http-upstream.ts'

/** A frame as it came (RFC 6455 section 5.2), unmasked. */
export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

export const TEXT = 1
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** The service's side of one WebSocket. */
export class ServerSocket {
  readonly request: http.IncomingMessage
  readonly #socket: Duplex
  readonly #onFrame: (frame: Frame, socket: ServerSocket) => void
  #bytes = Buffer.alloc(0)
  /** Resolves when the connection is gone, however it ended. */
  readonly closed: Promise<void>

  constructor(
    request: http.IncomingMessage,
    socket: Duplex,
    onFrame: (frame: Frame, socket: ServerSocket) => void,
  ) {
    this.request = request
    this.#socket = socket
    this.#onFrame = onFrame
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('end', () => socket.end())
    // A reset is one way to end; `close` follows.
    socket.on('error', () => {})
    this.closed = new Promise(resolve => socket.once('close', () => resolve()))
  }

  /** Sends one unmasked frame. */
  send(opcode: number, payload: Uint8Array | string): void {
    const bytes = Buffer.from(payload)
    const head = Buffer.alloc(bytes.length < 126 ? 2 : bytes.length < 65_536 ? 4 : 10)
    head[0] = 0x80 | opcode
    if (head.length === 2) head[1] = bytes.length
    else if (head.length === 4) {
      head[1] = 126
      head.writeUInt16BE(bytes.length, 2)
    } else {
      head[1] = 127
      head.writeBigUInt64BE(BigInt(bytes.length), 2)
    }
    this.#socket.write(Buffer.concat([head, bytes]))
  }

  /** Sends a FIN without a close frame. */
  end(): void {
    this.#socket.end()
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    for (let frame = this.#take(); frame !== null; frame = this.#take()) this.#onFrame(frame, this)
  }

  #take(): Frame | null {
    const bytes = this.#bytes
    if (bytes.length < 2) return null
    const short = bytes.readUInt8(1) & 0x7f
    const at = short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < at + 4) return null
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    const end = at + 4 + length
    if (bytes.length < end) return null
    const payload = Buffer.from(bytes.subarray(at + 4, end))
    for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (bytes[at + (i % 4)] ?? 0)
    this.#bytes = bytes.subarray(end)
    return { opcode: bytes.readUInt8(0) & 0x0f, payload }
  }
}

/** A service that takes every upgrade to WebSocket, echoes text and pings, and mirrors what else is asked. */
export class WebSocketUpstream {
  readonly http: HttpUpstream
  readonly sockets: ServerSocket[] = []
  /** Text that is sent at once, in the same write as the 101. */
  greeting = ''

  private constructor(upstream: HttpUpstream) {
    this.http = upstream
    upstream.server.on('upgrade', (request: http.IncomingMessage, socket: Duplex) => {
      const key = request.headers['sec-websocket-key'] ?? ''
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      const [protocol] = (request.headers['sec-websocket-protocol'] ?? '').split(', ')
      socket.cork()
      socket.write(
        [
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n',
          `Sec-WebSocket-Accept: ${accept}\r\n`,
          protocol === '' ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`,
          '\r\n',
        ].join(''),
      )
      const one = new ServerSocket(request, socket, answer)
      this.sockets.push(one)
      if (this.greeting !== '') one.send(TEXT, this.greeting)
      socket.uncork()
    })
  }

  static async listen(): Promise<WebSocketUpstream> {
    return new WebSocketUpstream(await HttpUpstream.listen(mirror))
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.end()
    await this.http.close()
  }
}

function answer(frame: Frame, socket: ServerSocket): void {
  if (frame.opcode === PING) socket.send(PONG, frame.payload)
  else socket.send(frame.opcode, frame.payload)
  if (frame.opcode === CLOSE) socket.end()
}
