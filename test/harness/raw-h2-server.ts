import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { HpackDecoder } from '../../sidecar/http2/hpack/decoder.ts'
import { type Frame, frameBytes, literals, TYPE } from './raw-h2.ts'

const PREFACE_BYTES = 24
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4

/** What a server does, besides what it says of itself. */
export interface RawH2Script {
  /** SETTINGS to send at once: identifier and value in turn; null: none are sent. */
  readonly settings?: readonly number[] | null
  /** Answers neither PING nor SETTINGS. */
  readonly mute?: boolean
  /** A connection begins, its preface is here. */
  onOpen?(peer: RawH2Peer): void
  /** A request's header block came. */
  onRequest?(peer: RawH2Peer, stream: number, headers: readonly string[], ended: boolean): void
  /** Any frame came. */
  onFrame?(peer: RawH2Peer, frame: Frame): void
}

/** A server of HTTP/2 that sends whatever frames a test says. */
export class RawH2Server {
  readonly server: net.Server
  readonly peers: RawH2Peer[] = []
  readonly #script: RawH2Script

  private constructor(script: RawH2Script) {
    this.#script = script
    this.server = net.createServer({ noDelay: true }, socket => {
      this.peers.push(new RawH2Peer(socket, this.#script))
    })
  }

  static async listen(script: RawH2Script): Promise<RawH2Server> {
    const server = new RawH2Server(script)
    server.server.listen(0, '127.0.0.1')
    await once(server.server, 'listening')
    return server
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port // it listens on TCP
  }

  /** Connections that are open. */
  get open(): RawH2Peer[] {
    return this.peers.filter(peer => !peer.socket.destroyed)
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close')
    this.server.close()
    for (const { socket } of this.peers) socket.destroy()
    await closed
  }
}

/** One connection of such a server. */
export class RawH2Peer {
  readonly socket: net.Socket
  readonly frames: Frame[] = []
  /** Bytes of DATA that came. */
  received = 0
  readonly #script: RawH2Script
  readonly #decoder = new HpackDecoder()
  #preface = false
  #bytes: Buffer = Buffer.alloc(0)
  #block: Buffer = Buffer.alloc(0)
  #ended = false

  constructor(socket: net.Socket, script: RawH2Script) {
    this.socket = socket
    this.#script = script
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
  }

  /** Bytes as they are. */
  send(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes)
  }

  frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): void {
    this.send(frameBytes(type, flags, stream, payload))
  }

  /** SETTINGS: identifier and value in turn. */
  settings(pairs: readonly number[]): void {
    const payload = Buffer.alloc((pairs.length / 2) * 6)
    for (let i = 0; i < pairs.length; i += 2) {
      payload.writeUInt16BE(pairs[i] ?? 0, i * 3)
      payload.writeUInt32BE(pairs[i + 1] ?? 0, i * 3 + 2)
    }
    this.frame(TYPE.settings, 0, 0, payload)
  }

  /** A header block of literals. */
  head(stream: number, fields: readonly string[], end = false): void {
    this.frame(TYPE.headers, END_HEADERS | (end ? END_STREAM : 0), stream, literals(fields))
  }

  data(stream: number, bytes: string | Buffer, end = false): void {
    this.frame(TYPE.data, end ? END_STREAM : 0, stream, Buffer.from(bytes))
  }

  /** 200 and a text. */
  answer(stream: number, body = 'ok'): void {
    this.head(stream, [':status', '200', 'content-length', String(body.length)])
    this.data(stream, body, true)
  }

  reset(stream: number, code: number): void {
    this.frame(TYPE.reset, 0, stream, words(code))
  }

  goaway(last: number, code = 0): void {
    this.frame(TYPE.goaway, 0, 0, words(last, code))
  }

  window(stream: number, bytes: number): void {
    this.frame(TYPE.window, 0, stream, words(bytes))
  }

  #read(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes])
    if (!this.#preface) {
      if (this.#bytes.length < PREFACE_BYTES) return
      this.#preface = true
      this.#bytes = this.#bytes.subarray(PREFACE_BYTES)
      const { settings = [] } = this.#script
      if (settings !== null) this.settings(settings)
      this.#script.onOpen?.(this)
    }
    let at = 0
    while (this.#bytes.length - at >= 9) {
      const length = this.#bytes.readUIntBE(at, 3)
      if (this.#bytes.length - at < 9 + length) break
      this.#take({
        type: this.#bytes[at + 3] ?? 0,
        flags: this.#bytes[at + 4] ?? 0,
        stream: this.#bytes.readUInt32BE(at + 5) & 0x7fffffff,
        payload: Buffer.from(this.#bytes.subarray(at + 9, at + 9 + length)),
      })
      at += 9 + length
    }
    this.#bytes = Buffer.from(this.#bytes.subarray(at))
  }

  #take(frame: Frame): void {
    const { type, flags, stream, payload } = frame
    this.frames.push(frame)
    if (this.#script.mute !== true && (flags & ACK) === 0) {
      if (type === TYPE.settings) this.frame(TYPE.settings, ACK, 0)
      else if (type === TYPE.ping) this.frame(TYPE.ping, ACK, 0, payload)
    }
    if (type === TYPE.data) this.received += payload.length
    if (type === TYPE.headers) this.#ended = (flags & END_STREAM) !== 0
    if (type === TYPE.headers || type === TYPE.continuation) {
      this.#block = Buffer.concat([this.#block, payload])
      if ((flags & END_HEADERS) !== 0) this.#request(stream)
    }
    this.#script.onFrame?.(this, frame)
  }

  #request(stream: number): void {
    const block = this.#block
    this.#block = Buffer.alloc(0)
    const outcome = this.#decoder.decode(block, 0, block.length, { fields: 1000, bytes: 1e6 })
    if (outcome !== 'ok') throw new Error(`what came is no header block: ${outcome}`)
    this.#script.onRequest?.(this, stream, this.#decoder.headers, this.#ended)
  }
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => bytes.writeUInt32BE(value, i * 4))
  return bytes
}
