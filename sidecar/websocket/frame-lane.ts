import type { BodySink, BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import { CLOSE, FrameScanner, PONG } from './frame-scanner.ts'

const FIRST_OF_PONG = 0x80 | PONG

/** What a lane tells its tunnel. */
export interface LaneOwner {
  /** Its frames cannot be followed any more. */
  onLost(): void
  /** A close frame of the peer has come. */
  onPeerClose(lane: FrameLane, code: number): void
  /** A ping of ours went out. */
  onPinged(lane: FrameLane): void
  /** The source of one has ended. */
  onLaneEnd(): void
}

/** How long the payload of a ping of ours is. */
export const PING_BYTES = 8

/**
 * One direction of a WebSocket: passes the bytes on as they come, and knows where a frame ends, so that a frame of ours
 * goes only there. Takes the answers to our pings out. Copies nothing but such an answer while it is not complete.
 */
export class FrameLane implements BodySink {
  /** What the taker of this direction starts. */
  readonly way: BodySource
  /** Bytes that came, but for answers to our pings. */
  received = 0
  /** Answers to our pings that came. */
  answers = 0
  /** Whether its taker wants no more for now, so that its source is not read. */
  blocked = false
  /** Whether the source has ended. */
  ended = false
  /** Whether a close frame has come from it. */
  peerClosed = false
  readonly #source: BodySource
  readonly #masked: boolean
  readonly #buffers: ReadBuffers
  readonly #owner: LaneOwner
  readonly #scanner: FrameScanner
  #sink: BodySink | null = null
  /** `passing`: whatever comes is passed on, and nothing of ours; `dropping`: our close frame went out. */
  #state: 'following' | 'passing' | 'dropping' = 'following'
  #ping: Buffer | null = null
  #close: Buffer | null = null
  /** The payload of our pings in the other direction, whose answers come here; null while there was none. */
  #asked: Buffer | null = null
  /** What may be such an answer, as far as it came. */
  readonly #pong: Buffer
  #pongBytes = 0

  /**
   * @param masked whether it is the client's direction
   * @param compressed whether permessage-deflate was agreed on
   */
  constructor(
    source: BodySource,
    masked: boolean,
    compressed: boolean,
    buffers: ReadBuffers,
    owner: LaneOwner,
  ) {
    this.#source = source
    this.#masked = masked
    this.#buffers = buffers
    this.#owner = owner
    this.#scanner = new FrameScanner(masked, compressed)
    this.#pong = Buffer.allocUnsafe((masked ? 6 : 2) + PING_BYTES)
    this.way = {
      length: 'unknown',
      start: sink => this.#start(sink),
      resume: () => this.#resume(),
      abort: error => {
        this.#sink = null
        this.#source.abort(error)
      },
    }
  }

  /** Whether a close frame of ours went out. */
  get closed(): boolean {
    return this.#state === 'dropping'
  }

  /** Whether a frame of ours may still go out. */
  get following(): boolean {
    return this.#state === 'following'
  }

  /** Sends a ping as soon as a frame ends. A second one before that is the same. */
  ping(frame: Buffer): void {
    if (this.#state !== 'following' || this.#ping !== null) return
    this.#ping = frame
    if (this.#between) this.#insert()
  }

  /** From now on pongs with this payload are answers to us, and go no further. */
  expect(payload: Buffer): void {
    this.#asked = payload
  }

  /** Sends a close frame as soon as a frame ends. What comes behind it is dropped. */
  close(frame: Buffer): void {
    if (this.#state !== 'following') return
    this.#close = frame
    if (this.#between) this.#insert()
  }

  /** Ends the sink: nobody sends in this direction any more. */
  finish(): void {
    const sink = this.#sink
    this.#sink = null
    sink?.end(null)
  }

  /** Stops following: whatever comes is passed on as it is. */
  passOn(): void {
    if (this.#state !== 'following') return
    this.#state = 'passing'
    this.#releasePong()
  }

  // --- from the source ---------------------------------------------------------------------------------------

  chunk(bytes: Buffer, owned: boolean): boolean {
    const end = bytes.length
    this.received += end
    let from = 0
    let at = 0
    while (at < end && this.#state === 'following') {
      if (this.#pongBytes > 0 || this.#mayAnswer(bytes[at] as number)) {
        this.#passPart(bytes, from, at, owned)
        at = this.#collectPong(bytes, at, end)
        from = at
      } else {
        at = this.#follow(bytes, at, end)
      }
      if (this.#state === 'following' && (this.#ping ?? this.#close) !== null && this.#between) {
        this.#passPart(bytes, from, at, owned)
        from = at
        this.#insert()
      }
    }
    if (this.#state === 'dropping') this.#readOn(bytes, at, end)
    else if (from === 0) return this.#pass(bytes, owned)
    else this.#passPart(bytes, from, end, owned)
    if (owned) this.#buffers.release(bytes)
    return !this.blocked
  }

  end(trailers: HeaderList | null): void {
    this.ended = true
    this.#releasePong()
    const sink = this.#sink
    this.#sink = null
    sink?.end(trailers)
    this.#owner.onLaneEnd()
  }

  abort(error: ProxyError): void {
    this.ended = true
    const sink = this.#sink
    this.#sink = null
    sink?.abort(error)
  }

  /** To the end of a frame, or of what is there. */
  #follow(bytes: Buffer, at: number, end: number): number {
    const scanner = this.#scanner
    const next = scanner.next(bytes, at, end)
    if (scanner.lost) this.#owner.onLost()
    else if (scanner.opcode === CLOSE && scanner.between) this.#peerClosed()
    return next
  }

  #peerClosed(): void {
    // Nothing follows a close frame (RFC 6455 section 5.5.1), so nothing of ours does.
    this.peerClosed = true
    if (this.#state === 'following') this.passOn()
    this.#owner.onPeerClose(this, this.#scanner.closeCode)
  }

  /** Whether the frames, and what may be a pong of ours, are complete: here another frame may stand. */
  get #between(): boolean {
    return this.#pongBytes === 0 && this.#scanner.between
  }

  #insert(): void {
    const ping = this.#ping
    const close = this.#close
    this.#ping = null
    this.#close = null
    if (ping !== null && close === null) {
      this.#give(ping, false)
      this.#owner.onPinged(this)
    }
    if (close === null) return
    this.#give(close, false)
    this.#state = 'dropping'
    // What is dropped waits for nobody.
    if (this.blocked) this.#resume()
  }

  /** Our close frame is out: of what still comes only the peer's is of interest. */
  #readOn(bytes: Buffer, at: number, end: number): void {
    let from = at
    while (from < end && !this.#scanner.lost) {
      from = this.#scanner.next(bytes, from, end)
      if (!this.#scanner.lost && this.#scanner.opcode === CLOSE && this.#scanner.between) this.#peerClosed()
    }
  }

  // --- answers to our pings ----------------------------------------------------------------------------------

  #mayAnswer(first: number): boolean {
    return this.#asked !== null && first === FIRST_OF_PONG && this.#scanner.between
  }

  #collectPong(bytes: Buffer, at: number, end: number): number {
    const pong = this.#pong
    let from = at
    while (from < end) {
      pong[this.#pongBytes++] = bytes[from++] as number // from < end
      if (this.#pongBytes === 2 && pong[1] !== (this.#masked ? 0x80 : 0) + PING_BYTES) {
        this.#releasePong()
        return from
      }
      if (this.#pongBytes === pong.length) {
        if (this.#isOurs()) this.#takeAnswer()
        else this.#releasePong()
        return from
      }
    }
    return from
  }

  #takeAnswer(): void {
    this.answers++
    this.received -= this.#pongBytes
    this.#pongBytes = 0
  }

  #isOurs(): boolean {
    const pong = this.#pong
    const payload = pong.length - PING_BYTES
    for (let i = 0; i < PING_BYTES; i++) {
      const mask = this.#masked ? (pong[2 + (i & 3)] as number) : 0
      if (((pong[payload + i] as number) ^ mask) !== this.#asked?.[i]) return false
    }
    return true
  }

  /** It is not, or not to be waited for: it goes the way of all frames. */
  #releasePong(): void {
    const length = this.#pongBytes
    if (length === 0) return
    this.#pongBytes = 0
    const bytes = Buffer.from(this.#pong.subarray(0, length))
    // It is the beginning of one frame at most, so that it is followed in one step.
    if (this.#state === 'following') this.#follow(bytes, 0, length)
    if (this.#state !== 'dropping') this.#give(bytes, false)
  }

  // --- to the sink -------------------------------------------------------------------------------------------

  /** Passes a part of a chunk. The chunk stays whose it is. */
  #passPart(bytes: Buffer, from: number, to: number, owned: boolean): void {
    if (from >= to) return
    const part = bytes.subarray(from, to)
    if (owned) this.#buffers.retain(part)
    this.#pass(part, owned)
  }

  #pass(bytes: Buffer, owned: boolean): boolean {
    if (this.#sink !== null) return this.#give(bytes, owned)
    if (owned) this.#buffers.release(bytes)
    return true
  }

  #give(bytes: Buffer, owned: boolean): boolean {
    const taken = this.#sink?.chunk(bytes, owned) ?? true
    if (!taken) this.blocked = true
    return !this.blocked
  }

  #start(sink: BodySink): void {
    this.#sink = sink
    this.#source.start(this)
  }

  #resume(): void {
    this.blocked = false
    this.#source.resume()
  }
}
