import { WIRE_VALUE } from '../../sidecar/exchange/headers.ts'
import type { DecodeOutcome, HeaderLimits } from '../../sidecar/http2/hpack/decoder.ts'
import { CODE_BITS, CODES } from '../../sidecar/http2/hpack/huffman-code.ts'
import { STATIC_NAMES, STATIC_VALUES } from '../../sidecar/http2/hpack/static-table.ts'

/** Symbols by their code, as text of 0 and 1. */
const SYMBOLS = new Map<string, number>()
for (const [symbol, code] of CODES.entries())
  SYMBOLS.set(code.toString(2).padStart(CODE_BITS[symbol] as number, '0'), symbol)

const NAME = /^:?[!#$%&'*+.^_`|~0-9a-z-]+$/

type Field = readonly [name: string, value: string]

/** RFC 7541 written down as plainly as it can be, to compare with: one decoder, one table, no bounds on work. */
export class PlainHpack {
  headers: string[] = []
  /** Entries of the table, the newest first. */
  entries: Field[] = []
  readonly #largest: number
  #capacity = 4096
  #bytes: Buffer = Buffer.alloc(0)
  #place = 0

  constructor(largest: number) {
    this.#largest = Math.max(largest, 4096)
  }

  get tableSize(): number {
    return this.entries.reduce((sum, field) => sum + sizeOf(field), 0)
  }

  decode(block: Buffer, limits: HeaderLimits): DecodeOutcome {
    this.headers = []
    this.#bytes = block
    this.#place = 0
    let outcome: DecodeOutcome = 'ok'
    let fields = 0
    let bytes = 0
    let updates = 0
    try {
      while (this.#place < block.length) {
        const first = block[this.#place] as number
        if (first >> 5 === 1) {
          const size = this.#integer(5)
          if (fields > 0 || ++updates > 2 || size > this.#largest) throw new RangeError('size update')
          this.#capacity = size
          this.#fit()
          continue
        }
        const field = this.#field(first)
        fields++
        bytes += sizeOf(field)
        if (outcome !== 'ok') continue
        if (fields > limits.fields || bytes > limits.bytes) outcome = 'too_large'
        else if (!NAME.test(field[0]) || !WIRE_VALUE.test(field[1]) || /^[ \t]|[ \t]$/.test(field[1]))
          outcome = 'malformed'
        else this.headers.push(...field)
      }
    } catch (error) {
      if (error instanceof RangeError) return 'compression_error'
      throw error
    }
    return outcome
  }

  #field(first: number): Field {
    if (first >> 7 === 1) return this.#at(this.#integer(7))
    const inserts = first >> 6 === 1
    const index = this.#integer(inserts ? 6 : 4)
    const name = index === 0 ? this.#string() : this.#at(index)[0]
    const field: Field = [name, this.#string()]
    if (inserts) {
      this.entries.unshift(field)
      this.#fit()
    }
    return field
  }

  #at(index: number): Field {
    const name = STATIC_NAMES[index]
    if (index > 0 && name !== undefined) return [name, STATIC_VALUES[index] as string]
    const field = this.entries[index - STATIC_NAMES.length]
    if (field === undefined) throw new RangeError('index')
    return field
  }

  /** Drops the oldest until the rest fits; the newest as well where it does not by itself. */
  #fit(): void {
    while (this.tableSize > this.#capacity) this.entries.pop()
  }

  #next(): number {
    const byte = this.#bytes[this.#place++]
    if (byte === undefined) throw new RangeError('truncated')
    return byte
  }

  #integer(bits: number): number {
    const most = 2 ** bits - 1
    let value = this.#next() & most
    if (value < most) return value
    for (let octet = 0; ; octet++) {
      const byte = this.#next()
      value += (byte % 128) * 128 ** octet
      if (octet === 5 || value >= 2 ** 31) throw new RangeError('integer')
      if (byte < 128) return value
    }
  }

  #string(): string {
    const huffman = (this.#bytes[this.#place] ?? 0) >= 128
    const length = this.#integer(7)
    const bytes = [...this.#bytes.subarray(this.#place, this.#place + length)]
    if (bytes.length < length) throw new RangeError('truncated')
    this.#place += length
    if (!huffman) return String.fromCharCode(...bytes)
    let text = ''
    let code = ''
    for (const bit of bytes.map(byte => byte.toString(2).padStart(8, '0')).join('')) {
      code += bit
      const symbol = SYMBOLS.get(code)
      if (symbol === undefined) continue
      if (symbol > 255) throw new RangeError('EOS')
      text += String.fromCharCode(symbol)
      code = ''
    }
    if (!/^1{0,7}$/.test(code)) throw new RangeError('padding')
    return text
  }
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + 32
}
