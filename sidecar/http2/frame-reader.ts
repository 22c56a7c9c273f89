import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FRAME_HEADER,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HEADERS,
  MAX_FRAME,
  PADDED,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  WITH_PRIORITY,
} from './frames.ts'
import type { FrameSink } from './frame-sink.ts'
import { HeaderBlock } from './header-block.ts'

/**
 * Finds the frames in what a connection brings (RFC 9113 section 4), checks what needs no knowledge of streams (section
 * 6: lengths, padding, stream 0 or not, nothing in between a header block), and passes them on. DATA is passed on as it
 * comes, in pieces; other frames are gathered, which is bounded by `MAX_FRAME`.
 */
export class FrameReader {
  /** The header block that is open: HEADERS came, and CONTINUATION has to follow. */
  readonly block = new HeaderBlock()
  readonly #sink: FrameSink
  readonly #header = Buffer.allocUnsafe(FRAME_HEADER)
  #headerBytes = 0
  #stopped = false
  #first = true
  // The frame under way.
  #length = 0
  #type = 0
  #flags = 0
  #id = 0
  /** What came of a frame that is split over reads. */
  #gathered: Buffer | null = null
  #gatheredBytes = 0
  /** Bytes to come that nobody needs. */
  #skip = 0
  // Of the DATA frame under way.
  #dataLeft = 0
  #padLeft = 0
  #flow = -1
  #padUnread = false
  #inData = false

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** Whether a frame that is told as a whole has begun and is not complete. DATA is a matter of its stream. */
  get partial(): boolean {
    return this.#headerBytes > 0 || this.#gathered !== null
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#stopped = true
    this.#gathered = null
    this.block.drop()
  }

  /** Reads `buffer[start..end)`. */
  read(buffer: Buffer, start: number, end: number): void {
    let at = start
    while (at < end && !this.#stopped) {
      if (this.#inData) at = this.#readData(buffer, at, end)
      else if (this.#gathered !== null) at = this.#gather(buffer, at, end)
      else if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - at)
        this.#skip -= skipped
        at += skipped
      } else at = this.#readFrame(buffer, at, end)
    }
  }

  #readFrame(buffer: Buffer, at: number, end: number): number {
    if (this.#headerBytes === 0 && end - at >= FRAME_HEADER) {
      this.#parseHeader(buffer, at)
      at += FRAME_HEADER
    } else {
      const more = Math.min(FRAME_HEADER - this.#headerBytes, end - at)
      buffer.copy(this.#header, this.#headerBytes, at, at + more)
      this.#headerBytes += more
      at += more
      if (this.#headerBytes < FRAME_HEADER) return at
      this.#headerBytes = 0
      this.#parseHeader(this.#header, 0)
    }
    if (!this.#sound()) return at
    const length = this.#length
    if (this.#type === DATA) {
      this.#inData = true
      this.#flow = length
      this.#padUnread = (this.#flags & PADDED) !== 0
      this.#padLeft = 0
      this.#dataLeft = this.#padUnread ? length - 1 : length
      return this.#readData(buffer, at, end)
    }
    if (end - at >= length) {
      this.#dispatch(buffer, at, at + length)
      return at + length
    }
    if (this.#type > CONTINUATION) {
      this.#dispatch(buffer, at, at)
      this.#skip = length
      return at
    }
    this.#gathered = Buffer.allocUnsafe(length)
    this.#gatheredBytes = 0
    return this.#gather(buffer, at, end)
  }

  #parseHeader(bytes: Buffer, at: number): void {
    this.#length =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    this.#type = bytes[at + 3] as number
    this.#flags = bytes[at + 4] as number
    this.#id = word(bytes, at + 5) & 0x7fff_ffff
  }

  #gather(buffer: Buffer, at: number, end: number): number {
    const gathered = this.#gathered as Buffer // looked at by both callers
    const more = Math.min(gathered.length - this.#gatheredBytes, end - at)
    buffer.copy(gathered, this.#gatheredBytes, at, at + more)
    this.#gatheredBytes += more
    if (this.#gatheredBytes === gathered.length) {
      this.#gathered = null
      this.#dispatch(gathered, 0, gathered.length)
    }
    return at + more
  }

  #readData(buffer: Buffer, at: number, end: number): number {
    if (this.#padUnread) {
      if (at === end) return at
      this.#padUnread = false
      this.#padLeft = buffer[at++] as number
      this.#dataLeft -= this.#padLeft
      if (this.#dataLeft < 0) {
        this.#broken(PROTOCOL_ERROR, 'padding is longer than its frame')
        return at
      }
    }
    const padding = this.#flow - this.#dataLeft
    const data = Math.min(this.#dataLeft, end - at)
    const pad = Math.min(this.#padLeft, end - at - data)
    this.#dataLeft -= data
    this.#padLeft -= pad
    const flow = this.#flow
    this.#flow = -1
    const whole = this.#dataLeft === 0 && this.#padLeft === 0
    this.#inData = !whole
    // A piece of nothing is told where it counts or ends something.
    if (data > 0 || flow >= 0 || whole)
      this.#sink.onData(
        this.#id,
        flow,
        padding,
        buffer,
        at,
        at + data,
        whole && (this.#flags & END_STREAM) !== 0,
      )
    return at + data + pad
  }

  /** Whether the frame may have this header. */
  #sound(): boolean {
    const id = this.#id
    const length = this.#length
    if (length > MAX_FRAME) return this.#broken(FRAME_SIZE_ERROR, 'a frame is too large')
    if (this.block.id !== 0 && (this.#type !== CONTINUATION || id !== this.block.id))
      return this.#broken(PROTOCOL_ERROR, 'a header block is interrupted')
    if (this.#first) {
      if (this.#type !== SETTINGS || (this.#flags & ACK) !== 0)
        return this.#broken(PROTOCOL_ERROR, 'the first frame is not SETTINGS')
      this.#first = false
    }
    switch (this.#type) {
      case DATA:
        if ((this.#flags & PADDED) !== 0 && length === 0) return this.#tooShort()
        return id !== 0 || this.#wrongStream()
      case HEADERS:
        return id !== 0 || this.#wrongStream()
      case PRIORITY:
        if (id === 0) return this.#wrongStream()
        if (length === 5) return true
        this.#skip = length
        this.#sink.onBadLength(id)
        return false
      case RST_STREAM:
        if (id === 0) return this.#wrongStream()
        return length === 4 || this.#tooShort()
      case SETTINGS:
        if (id !== 0) return this.#wrongStream()
        return ((this.#flags & ACK) === 0 ? length % 6 === 0 : length === 0) || this.#tooShort()
      case PUSH_PROMISE:
        // A client may not, and to a server we say ENABLE_PUSH 0.
        return this.#broken(PROTOCOL_ERROR, 'PUSH_PROMISE')
      case PING:
        if (id !== 0) return this.#wrongStream()
        return length === 8 || this.#tooShort()
      case GOAWAY:
        if (id !== 0) return this.#wrongStream()
        return length >= 8 || this.#tooShort()
      case WINDOW_UPDATE:
        return length === 4 || this.#tooShort()
      case CONTINUATION:
        return this.block.id !== 0 || this.#broken(PROTOCOL_ERROR, 'CONTINUATION of nothing')
      default:
        return true
    }
  }

  #dispatch(buffer: Buffer, start: number, end: number): void {
    const sink = this.#sink
    const ack = (this.#flags & ACK) !== 0
    switch (this.#type) {
      case HEADERS:
        this.#headers(buffer, start, end)
        break
      case CONTINUATION:
        if (!this.block.add(buffer, start, end)) this.#broken(ENHANCE_YOUR_CALM, 'a header block is too long')
        else if ((this.#flags & END_HEADERS) !== 0) this.block.pass(sink)
        break
      case PRIORITY:
        sink.onPriority(this.#id, word(buffer, start) & 0x7fff_ffff)
        break
      case RST_STREAM:
        sink.onReset(this.#id, word(buffer, start) >>> 0)
        break
      case SETTINGS:
        sink.onSettings(ack, buffer, start, end)
        break
      case PING:
        sink.onPing(ack, buffer, start)
        break
      case GOAWAY:
        sink.onGoaway(word(buffer, start) & 0x7fff_ffff, word(buffer, start + 4) >>> 0)
        break
      case WINDOW_UPDATE:
        sink.onWindowUpdate(this.#id, word(buffer, start) & 0x7fff_ffff)
        break
      default:
        sink.onUnknown()
    }
  }

  #headers(buffer: Buffer, start: number, end: number): void {
    const flags = this.#flags
    let parent = -1
    let pad = 0
    if ((flags & PADDED) !== 0) {
      if (start === end) return void this.#tooShort()
      pad = buffer[start++] as number
    }
    if ((flags & WITH_PRIORITY) !== 0) {
      if (end - start < 5) return void this.#tooShort()
      parent = word(buffer, start) & 0x7fff_ffff
      start += 5
    }
    if (end - start < pad) return void this.#broken(PROTOCOL_ERROR, 'padding is longer than its frame')
    const ended = (flags & END_STREAM) !== 0
    if ((flags & END_HEADERS) !== 0) this.#sink.onHeaders(this.#id, buffer, start, end - pad, ended, parent)
    else if (!this.block.begin(this.#id, ended, parent, buffer, start, end - pad))
      this.#broken(ENHANCE_YOUR_CALM, 'a header block is too long')
  }

  #tooShort(): false {
    return this.#broken(FRAME_SIZE_ERROR, 'a frame has the wrong length')
  }

  #wrongStream(): false {
    return this.#broken(PROTOCOL_ERROR, 'a frame is on the wrong stream')
  }

  #broken(code: number, cause: string): false {
    this.stop()
    this.#sink.onBroken(code, cause)
    return false
  }
}

/** A 32-bit number, signed. */
function word(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}
