import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { CODE, FLAG, frameBytes, literals, pseudo, settingsPayload, TYPE, uint32 } from './h2-frames.ts'
import type { Frame, HeaderBlock } from './h2-reader.ts'
import { H2Reader } from './h2-reader.ts'

export { CODE, frameBytes, literals, pseudo, TYPE } from './h2-frames.ts'
export type { Frame } from './h2-reader.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** What a stream brought. */
export interface StreamAnswer {
  status: number
  headers: Record<string, string>
  /** Informational heads before it. */
  informational: number[]
  body: Buffer
  trailers: Record<string, string> | null
  ended: boolean
  /** The code of RST_STREAM; -1: none came. */
  reset: number
}

/** How one is connected. */
export interface RawH2Options {
  readonly host?: string
  /** The file's TLS options; ALPN is `h2`. Null: in the clear, with prior knowledge. */
  readonly tls?: tls.ConnectionOptions | null
  /** Sends neither preface nor SETTINGS. */
  readonly silent?: boolean
  /** SETTINGS to send: identifier and value in turn. */
  readonly settings?: readonly number[]
  /** Gives no credit for what comes. */
  readonly stingy?: boolean
  /** Answers no PING. */
  readonly mute?: boolean
}

/** A client of HTTP/2 that sends whatever frames a test says, and writes down what comes. */
export class RawH2 {
  readonly frames: Frame[] = []
  readonly streams = new Map<number, StreamAnswer>()
  /** The last GOAWAY; null while none came. */
  goaway: { readonly last: number; readonly code: number; readonly why: string } | null = null
  closed = false
  readonly socket: net.Socket
  #next = 1
  readonly #reader = new H2Reader()
  readonly #stingy: boolean
  readonly #mute: boolean
  #watchers: (() => void)[] = []

  private constructor(socket: net.Socket, { stingy, mute }: RawH2Options) {
    this.socket = socket
    this.#stingy = stingy ?? false
    this.#mute = mute ?? false
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#tell()
    })
  }

  /** Connects and, unless `silent`, sends preface and SETTINGS. */
  static async connect(port: number, options: RawH2Options = {}): Promise<RawH2> {
    const host = options.host ?? '127.0.0.1'
    const secure = options.tls ?? null
    const socket =
      secure === null
        ? net.connect(port, host)
        : tls.connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...secure })
    await once(socket, secure === null ? 'connect' : 'secureConnect')
    socket.setNoDelay(true)
    const raw = new RawH2(socket, options)
    if (options.silent !== true) {
      raw.send(PREFACE)
      raw.settings(options.settings ?? [])
    }
    return raw
  }

  /** Bytes as they are. */
  send(bytes: string | Buffer): void {
    if (!this.socket.destroyed)
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Any frame. */
  frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): void {
    this.send(frameBytes(type, flags, stream, payload))
  }

  /** SETTINGS: identifier and value in turn. */
  settings(pairs: readonly number[]): void {
    this.frame(TYPE.settings, 0, 0, settingsPayload(pairs))
  }

  /** A request's header block on a new stream. @returns its id */
  request(fields: readonly string[], end = true): number {
    const id = this.#next
    this.#next += 2
    this.frame(TYPE.headers, FLAG.endHeaders | (end ? FLAG.endStream : 0), id, literals(fields))
    return id
  }

  /** A GET, or another method, with usual pseudo fields. @returns the stream's id */
  get(path: string, ...more: string[]): number {
    return this.request([...pseudo('GET', path), ...more])
  }

  data(stream: number, bytes: string | Buffer, end = false): void {
    this.frame(TYPE.data, end ? FLAG.endStream : 0, stream, Buffer.from(bytes))
  }

  /** A header block that ends a stream. */
  trailers(stream: number, fields: readonly string[]): void {
    this.frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, stream, literals(fields))
  }

  reset(stream: number, code: number = CODE.cancel): void {
    this.frame(TYPE.reset, 0, stream, uint32(code))
  }

  window(stream: number, bytes: number): void {
    this.frame(TYPE.window, 0, stream, uint32(bytes))
  }

  /** What a stream brought so far. */
  answer(stream: number): StreamAnswer {
    let answer = this.streams.get(stream)
    if (answer === undefined) {
      answer = {
        status: 0,
        headers: {},
        informational: [],
        body: Buffer.alloc(0),
        trailers: null,
        ended: false,
        reset: -1,
      }
      this.streams.set(stream, answer)
    }
    return answer
  }

  /** Waits until a stream is over, by its end or a reset. */
  async over(stream: number, timeout?: number): Promise<StreamAnswer> {
    await this.until(
      `the end of stream ${stream}`,
      () => this.answer(stream).ended || this.answer(stream).reset >= 0,
      timeout,
    )
    return this.answer(stream)
  }

  /** Waits for GOAWAY or the connection's end. @returns the code; -1 where it only closed */
  async gone(timeout?: number): Promise<number> {
    await this.until('GOAWAY or the end', () => this.closed || (this.goaway?.code ?? 0) !== 0, timeout)
    return this.goaway === null ? -1 : this.goaway.code
  }

  /** Waits until the connection is closed. */
  async end(timeout?: number): Promise<void> {
    await this.until('the end of the connection', () => this.closed, timeout)
  }

  /** Sends a PING and waits for its answer, or for the end: whatever was sent before was read. */
  async roundTrip(timeout?: number): Promise<void> {
    const mark = Buffer.alloc(8)
    mark.writeUInt32BE(this.frames.length + 1, 4)
    this.frame(TYPE.ping, 0, 0, mark)
    const answered = (): boolean =>
      this.closed ||
      (this.goaway?.code ?? 0) !== 0 ||
      this.frames.some(one => one.type === TYPE.ping && one.flags === FLAG.ack && one.payload.equals(mark))
    await this.until('the answer to PING', answered, timeout)
  }

  /** Waits until `met`; looks after each read. */
  async until(what: string, met: () => boolean, timeout = 5000): Promise<void> {
    const deadline = performance.now() + timeout
    while (!met()) {
      const left = deadline - performance.now()
      if (left <= 0)
        throw new Error(
          `waited ${timeout} ms for ${what}; ${this.closed ? 'closed' : 'open'} ${this.goaway?.why}; last frames ${JSON.stringify(this.frames.slice(-4).map(one => [one.type, one.flags, one.stream, one.payload.length]))}`,
        )
      const told = Promise.withResolvers<void>()
      this.#watchers.push(told.resolve)
      const timer = setTimeout(told.resolve, left)
      await told.promise
      clearTimeout(timer)
    }
  }

  destroy(): void {
    this.socket.destroy()
  }

  #tell(): void {
    const watchers = this.#watchers
    this.#watchers = []
    for (const watcher of watchers) watcher()
  }

  #read(bytes: Buffer): void {
    this.#reader.read(bytes, frame => this.#take(frame))
    this.#tell()
  }

  #take(frame: Frame): void {
    const { type, flags, stream, payload } = frame
    this.frames.push(frame)
    switch (type) {
      case TYPE.settings:
        if ((flags & FLAG.ack) === 0) this.frame(TYPE.settings, FLAG.ack, 0)
        break
      case TYPE.ping:
        if ((flags & FLAG.ack) === 0 && !this.#mute) this.frame(TYPE.ping, FLAG.ack, 0, payload)
        break
      case TYPE.goaway:
        this.goaway = {
          last: payload.readUInt32BE(0),
          code: payload.readUInt32BE(4),
          why: payload.toString('latin1', 8),
        }
        break
      case TYPE.reset:
        this.answer(stream).reset = payload.readUInt32BE(0)
        break
      case TYPE.data: {
        const answer = this.answer(stream)
        answer.body = answer.body.length === 0 ? payload : Buffer.concat([answer.body, payload])
        if (payload.length > 0 && !this.#stingy) {
          this.window(0, payload.length)
          if ((flags & FLAG.endStream) === 0) this.window(stream, payload.length)
        }
        if ((flags & FLAG.endStream) !== 0) answer.ended = true
        break
      }
      case TYPE.headers:
      case TYPE.continuation: {
        const block = this.#reader.block(frame)
        if (block !== null) this.#head(stream, block)
        break
      }
      default:
    }
  }

  #head(stream: number, { headers: list, ended }: HeaderBlock): void {
    const fields: Record<string, string> = {}
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i] ?? ''
      fields[name] = name in fields ? `${fields[name]}, ${list[i + 1]}` : (list[i + 1] ?? '')
    }
    const answer = this.answer(stream)
    const status = Number(fields[':status'] ?? 0)
    if (status === 0) answer.trailers = fields
    else if (status < 200) answer.informational.push(status)
    else {
      answer.status = status
      answer.headers = fields
    }
    if (ended) answer.ended = true
  }
}
