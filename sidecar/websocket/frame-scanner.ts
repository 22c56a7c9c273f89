/** Opcodes (RFC 6455 section 5.2) that anybody here asks for. */
export const CLOSE = 8
export const PING = 9
export const PONG = 10

const FIN = 0x80
const RSV1 = 0x40
const RESERVED = 0x30
const OPCODE = 0x0f
const MASK = 0x80
const LENGTH = 0x7f
const LONGEST_CONTROL = 125
const HIGHEST_DATA = 2
const NOTHING = -1

/**
 * Follows the frame headers of one direction of a WebSocket (RFC 6455 section 5.2) through bytes as they come, cut
 * anywhere. Looks at no payload but the two bytes of a close frame's code; keeps a header that is not complete, and
 * nothing else. What no endpoint may send makes it `lost` for good: nothing is refused here, but nobody knows any more
 * where a frame ends.
 */
export class FrameScanner {
  /** Whether the frames can no longer be followed. */
  lost = false
  /** The opcode of the current frame, or of the last one where none is under way. */
  opcode = NOTHING
  readonly #masked: boolean
  readonly #compressed: boolean
  /** The header as far as it came. */
  readonly #head = new Uint8Array(14)
  #have = 0
  #need = 2
  /** Bytes of payload still to come. */
  #remaining = 0
  #inPayload = false
  /** Whether a message has begun whose last fragment has not. */
  #fragmented = false
  #code = 0
  #codeBytes = 0

  /**
   * @param masked whether it is the client's direction, whose frames are masked (section 5.3)
   * @param compressed whether permessage-deflate was agreed on, so that a message may begin with RSV1 (RFC 7692)
   */
  constructor(masked: boolean, compressed: boolean) {
    this.#masked = masked
    this.#compressed = compressed
  }

  /** Whether no frame is under way: another one may be put in here. */
  get between(): boolean {
    return this.#have === 0 && !this.lost
  }

  /** The code of the last close frame; 1005 where it had none (section 7.1.5). */
  get closeCode(): number {
    return this.#codeBytes === 2 ? this.#code : 1005
  }

  /**
   * Goes on to the end of the frame that is under way or begins here.
   * @returns the offset behind it, or `end` where it goes on; where it is lost meanwhile, any
   */
  next(bytes: Uint8Array, at: number, end: number): number {
    let from = at
    if (!this.#inPayload) {
      from = this.#readHead(bytes, from, end)
      if (!this.#inPayload || this.lost) return from
    }
    const length = Math.min(end - from, this.#remaining)
    if (this.opcode === CLOSE && this.#codeBytes < 2) this.#readCode(bytes, from, from + length)
    this.#remaining -= length
    if (this.#remaining === 0) this.#endFrame()
    return from + length
  }

  #readHead(bytes: Uint8Array, at: number, end: number): number {
    const head = this.#head
    let from = at
    if (this.#have === 0 && end - at >= head.length) return this.#readWholeHead(bytes, at)
    while (from < end) {
      head[this.#have++] = bytes[from++] as number // from < end
      if (this.#have === 2) this.#need = this.#judge()
      if (this.lost) return from
      if (this.#have === this.#need) {
        this.#beginPayload()
        return from
      }
    }
    return from
  }

  /** The header is all there, as it mostly is. */
  #readWholeHead(bytes: Uint8Array, at: number): number {
    const head = this.#head
    head[0] = bytes[at] as number // as many bytes are there as a header can have
    head[1] = bytes[at + 1] as number
    const need = this.#judge()
    for (let i = 2; i < need; i++) head[i] = bytes[at + i] as number
    this.#need = need
    this.#have = need
    if (!this.lost) this.#beginPayload()
    return at + need
  }

  /** The first two bytes say whether this can be a frame. @returns how long its header is */
  #judge(): number {
    const first = this.#head[0] as number
    const second = this.#head[1] as number
    const opcode = first & OPCODE
    const final = (first & FIN) !== 0
    const control = opcode >= CLOSE
    const length = second & LENGTH
    const begins = opcode !== 0 && !control
    if (
      (first & RESERVED) !== 0 ||
      ((first & RSV1) !== 0 && !(this.#compressed && begins)) ||
      ((second & MASK) !== 0) !== this.#masked ||
      (control && (!final || length > LONGEST_CONTROL || opcode > PONG)) ||
      (begins && (opcode > HIGHEST_DATA || this.#fragmented)) ||
      (opcode === 0 && !this.#fragmented)
    ) {
      this.lost = true
    }
    this.opcode = opcode
    this.#codeBytes = opcode === CLOSE ? 0 : this.#codeBytes
    if (!control) this.#fragmented = !final
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (this.#masked ? 4 : 0)
  }

  #beginPayload(): void {
    const head = this.#head
    const short = (head[1] as number) & LENGTH
    let length = short
    if (short > LONGEST_CONTROL) {
      length = 0
      const last = short === 126 ? 4 : 10
      for (let i = 2; i < last; i++) length = length * 256 + (head[i] as number)
      // Section 5.2: the highest bit is 0. What a double cannot count exactly would be lost some day.
      if (length > Number.MAX_SAFE_INTEGER) this.lost = true
    }
    this.#remaining = length
    if (length === 0) this.#endFrame()
    else this.#inPayload = true
  }

  #endFrame(): void {
    this.#inPayload = false
    this.#have = 0
    this.#need = 2
  }

  #readCode(bytes: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to && this.#codeBytes < 2; i++) {
      const mask = this.#masked ? (this.#head[this.#need - 4 + this.#codeBytes] as number) : 0
      const byte = (bytes[i] as number) ^ mask
      this.#code = this.#codeBytes === 0 ? byte * 256 : this.#code + byte
      this.#codeBytes++
    }
  }
}
