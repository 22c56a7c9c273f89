import { HpackDecoder } from '../../sidecar/http2/hpack/decoder.ts'
import { FLAG, TYPE } from './h2-frames.ts'

/** A frame that came. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** A header block that is complete. */
export interface HeaderBlock {
  /** Names and values in turn; good until the next block. */
  readonly headers: readonly string[]
  /** Whether its HEADERS frame ended the stream. */
  readonly ended: boolean
}

/** Cuts what comes on a connection into frames, and puts header blocks together; judges nothing. */
export class H2Reader {
  readonly #decoder = new HpackDecoder()
  #bytes: Buffer = Buffer.alloc(0)
  #block: Buffer = Buffer.alloc(0)
  #ended = false

  /** Bytes as they came, behind the preface. @param take is given each frame, with a payload of its own */
  read(bytes: Buffer, take: (frame: Frame) => void): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes])
    let at = 0
    while (this.#bytes.length - at >= 9) {
      const length = this.#bytes.readUIntBE(at, 3)
      if (this.#bytes.length - at < 9 + length) break
      take({
        type: this.#bytes[at + 3] ?? 0,
        flags: this.#bytes[at + 4] ?? 0,
        stream: this.#bytes.readUInt32BE(at + 5) & 0x7fffffff,
        payload: Buffer.from(this.#bytes.subarray(at + 9, at + 9 + length)),
      })
      at += 9 + length
    }
    this.#bytes = Buffer.from(this.#bytes.subarray(at))
  }

  /** @returns the header block that this frame completes; null: none. Frames come in their order. */
  block({ type, flags, payload }: Frame): HeaderBlock | null {
    if (type === TYPE.headers) this.#ended = (flags & FLAG.endStream) !== 0
    else if (type !== TYPE.continuation) return null
    this.#block = Buffer.concat([this.#block, payload])
    if ((flags & FLAG.endHeaders) === 0) return null
    const block = this.#block
    this.#block = Buffer.alloc(0)
    const outcome = this.#decoder.decode(block, 0, block.length, { fields: 1000, bytes: 1e6 })
    if (outcome !== 'ok') throw new Error(`what came is no header block: ${outcome} ${this.#decoder.fault}`)
    return { headers: this.#decoder.headers, ended: this.#ended }
  }
}
