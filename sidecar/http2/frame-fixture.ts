import { once } from 'node:events'
import net from 'node:net'
import { errorName, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS } from './frames.ts'
import { until } from './session-fixture.ts'

/** A frame, byte by byte. */
export function frame(
  type: number,
  flags: number,
  id: number,
  payload: Buffer | number[] | string = '',
): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload)
  const head = Buffer.alloc(9)
  head.writeUIntBE(bytes.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, bytes])
}

/** A 32-bit number. */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** One parameter of SETTINGS. */
export function parameter(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), word(value)])
}

/** `:method GET`, `:scheme http`, `:path /`, `:authority a`, as HPACK that leaves no trace. */
export const GET = Buffer.from('828684010161', 'hex')
/** The same with POST. */
export const POST = Buffer.from('838684010161', 'hex')
/** A trailer `a: b`. */
export const TRAILER = Buffer.from('0001610162', 'hex')

/** A GET on a stream, complete. */
export const get = (id: number): Buffer => frame(HEADERS, 5, id, GET)
/** A POST whose body follows. */
export const post = (id: number): Buffer => frame(HEADERS, 4, id, POST)

export const EMPTY_SETTINGS = frame(SETTINGS, 0, 0)
export const SETTINGS_ACK = frame(SETTINGS, 1, 0)
/** The beginning of a client. */
export const HELLO = Buffer.concat([PREFACE, EMPTY_SETTINGS])

/** A frame that was received. */
export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

/** One side of a connection that sends what it is told, and splits what comes into frames; it knows no rules. */
export class RawPeer {
  readonly socket: net.Socket
  readonly frames: RawFrame[] = []
  ended = false
  #rest = Buffer.alloc(0)
  #asked = 0

  /** @param preface whether the client's preface comes before the frames */
  constructor(socket: net.Socket, preface = false) {
    this.socket = socket
    let skip = preface ? PREFACE.length : 0
    socket.on('error', () => {})
    socket.on('end', () => (this.ended = true))
    socket.on('close', () => (this.ended = true))
    socket.on('data', bytes => {
      this.#rest = Buffer.concat([this.#rest, bytes as Buffer]) // without an encoding
      if (this.#rest.length < skip) return
      this.#rest = this.#rest.subarray(skip)
      skip = 0
      this.#split()
    })
  }

  static async connect(port: number): Promise<RawPeer> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawPeer(socket)
  }

  send(...parts: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts))
  }

  /** Waits for a frame. */
  async frame(matches: (one: RawFrame) => boolean): Promise<RawFrame> {
    await until(() => this.frames.some(matches) || this.ended)
    const found = this.frames.find(matches)
    if (found === undefined) throw new Error(`the connection ended with ${this.summary()}`)
    return found
  }

  /** Asks for a sign of life, and waits for it: whatever was sent before has been dealt with. @returns whether it lives */
  async alive(): Promise<boolean> {
    const payload = Buffer.from(`alive${String(this.#asked++).padStart(3, '0')}`)
    this.send(frame(PING, 0, 0, payload))
    const answered = () =>
      this.frames.some(one => one.type === PING && one.flags === 1 && one.payload.equals(payload))
    await until(() => this.ended || this.#goaway !== undefined || answered())
    return answered()
  }

  get #goaway(): RawFrame | undefined {
    return this.frames.find(one => one.type === GOAWAY && one.payload.readUInt32BE(4) !== 0)
  }

  /** What it was told of errors: `GOAWAY x`, `RST_STREAM id x`, in order, or empty. */
  summary(): string {
    return this.frames
      .filter(one => one.type === GOAWAY || one.type === RST_STREAM)
      .map(one =>
        one.type === GOAWAY
          ? `GOAWAY ${errorName(one.payload.readUInt32BE(4))}`
          : `RST_STREAM ${one.id} ${errorName(one.payload.readUInt32BE(0))}`,
      )
      .join(', ')
  }

  close(): void {
    this.socket.destroy()
  }

  #split(): void {
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) return
      this.frames.push({
        type: this.#rest[3] as number, // there are nine
        flags: this.#rest[4] as number,
        id: this.#rest.readUInt32BE(5),
        payload: Buffer.from(this.#rest.subarray(9, 9 + length)),
      })
      this.#rest = this.#rest.subarray(9 + length)
    }
  }
}
