import type { HeaderList } from '../exchange/headers.ts'
import { CONTINUATION, END_HEADERS, FRAME_HEADER, HEADERS, MAX_FRAME } from './frames.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import type { Output } from './output.ts'

/** What HPACK takes at most beyond a field's name and value, and beyond the fields. */
const PER_FIELD = 16
const PER_BLOCK = 32

/** Writes header blocks: HEADERS, and CONTINUATION where one frame does not hold them. */
export class HeaderWriter {
  readonly #output: Output
  readonly #encoder = new HpackEncoder()

  constructor(output: Output) {
    this.#output = output
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  resize(bytes: number): void {
    this.#encoder.resize(bytes)
  }

  /**
   * Writes a block.
   * @param flags END_STREAM, or 0
   * @param guarded names that no hop may put into its table (RFC 7541 section 6.2.3); null: none
   * @returns where its flags stand in the output
   */
  write(id: number, list: HeaderList, flags: number, guarded: readonly string[] | null): number {
    const output = this.#output
    const encoder = this.#encoder
    let bound = FRAME_HEADER + PER_BLOCK
    for (let i = 0; i < list.length; i++) bound += (list[i] as string).length + PER_FIELD / 2
    output.reserve(bound)
    const { at } = output
    encoder.begin(output.buffer, at + FRAME_HEADER)
    if (guarded === null) encoder.fields(list)
    else encoder.guardedFields(list, guarded)
    const end = encoder.end()
    const length = end - at - FRAME_HEADER
    if (length > MAX_FRAME)
      return this.#split(id, flags, Buffer.from(output.buffer.subarray(at + FRAME_HEADER, end)))
    output.header(length, HEADERS, flags | END_HEADERS, id)
    output.at = end
    return at + 4
  }

  #split(id: number, flags: number, block: Buffer): number {
    const output = this.#output
    // At once, so that the frames are written together and the flags stay where they are.
    output.reserve(block.length + FRAME_HEADER * Math.ceil(block.length / MAX_FRAME))
    const { at } = output
    for (let from = 0; from < block.length; from += MAX_FRAME) {
      const length = Math.min(MAX_FRAME, block.length - from)
      const last = from + length === block.length ? END_HEADERS : 0
      output.header(length, from === 0 ? HEADERS : CONTINUATION, from === 0 ? flags | last : last, id)
      block.copy(output.buffer, output.at, from, from + length)
      output.at += length
    }
    return at + 4
  }
}
