import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { FLAG, frameBytes, literals, settingsPayload, TYPE, uint32 } from './h2-frames.ts'
import { type Frame, H2Reader } from './h2-reader.ts'

const PREFACE_BYTES = 24

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
  readonly #reader = new H2Reader()
  /** Bytes of the preface that are still to come. */
  #preface = PREFACE_BYTES

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
    this.frame(TYPE.settings, 0, 0, settingsPayload(pairs))
  }

  /** A header block of literals. */
  head(stream: number, fields: readonly string[], end = false): void {
    this.frame(TYPE.headers, FLAG.endHeaders | (end ? FLAG.endStream : 0), stream, literals(fields))
  }

  data(stream: number, bytes: string | Buffer, end = false): void {
    this.frame(TYPE.data, end ? FLAG.endStream : 0, stream, Buffer.from(bytes))
  }

  /** 200 and a text. */
  answer(stream: number, body = 'ok'): void {
    this.head(stream, [':status', '200', 'content-length', String(body.length)])
    this.data(stream, body, true)
  }

  reset(stream: number, code: number): void {
    this.frame(TYPE.reset, 0, stream, uint32(code))
  }

  goaway(last: number, code = 0): void {
    this.frame(TYPE.goaway, 0, 0, uint32(last, code))
  }

  window(stream: number, bytes: number): void {
    this.frame(TYPE.window, 0, stream, uint32(bytes))
  }

  #read(bytes: Buffer): void {
    const skipped = Math.min(this.#preface, bytes.length)
    this.#preface -= skipped
    if (this.#preface > 0) return
    if (skipped > 0) {
      const { settings = [] } = this.#script
      if (settings !== null) this.settings(settings)
      this.#script.onOpen?.(this)
    }
    this.#reader.read(bytes.subarray(skipped), frame => this.#take(frame))
  }

  #take(frame: Frame): void {
    const { type, flags, stream, payload } = frame
    this.frames.push(frame)
    if (this.#script.mute !== true && (flags & FLAG.ack) === 0) {
      if (type === TYPE.settings) this.frame(TYPE.settings, FLAG.ack, 0)
      else if (type === TYPE.ping) this.frame(TYPE.ping, FLAG.ack, 0, payload)
    }
    if (type === TYPE.data) this.received += payload.length
    const block = this.#reader.block(frame)
    if (block !== null) this.#script.onRequest?.(this, stream, block.headers, block.ended)
    this.#script.onFrame?.(this, frame)
  }
}
