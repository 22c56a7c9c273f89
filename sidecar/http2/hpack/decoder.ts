import type { HeaderList } from '../../exchange/headers.ts'
import { DEFAULT_TABLE_BYTES, DynamicTable, ENTRY_OVERHEAD } from './dynamic-table.ts'
import { faultText, MARKS, NAME_FAULTS, nameFault, valueFault } from './field-bytes.ts'
import { decodeHuffman, huffmanRoom } from './huffman.ts'
import { isNeverIndexed } from './indexing.ts'
import { NameCache } from './name-cache.ts'
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from './static-table.ts'

/** What limits the fields of one message. */
export interface HeaderLimits {
  /** How many there may be, pseudo-header fields and each part of a split cookie included. */
  readonly fields: number
  /** What they may take together: names, values, and 32 bytes for each (RFC 9113 section 6.5.2). */
  readonly bytes: number
}

/**
 * How a field block was read:
 * - `ok`: it was read.
 * - `malformed`: it was read, but holds a field that is none (RFC 9113 section 8.2.1): a stream error PROTOCOL_ERROR.
 * - `too_large`: it was read, but is beyond the limits: the stream is refused, the connection goes on.
 * - `compression_error`: it could not be read (RFC 7541): a connection error COMPRESSION_ERROR. The decoder is of no more
 *   use.
 */
export type DecodeOutcome = 'ok' | 'malformed' | 'too_large' | 'compression_error'

// More octets than these in an integer are refused, as is what is beyond 2^31 - 1 (RFC 7541 section 5.1).
const INTEGER_OCTETS = 5
const LARGEST_INTEGER = 0x7fff_ffff

const names = new NameCache()

// Where Huffman-coded strings are decoded to, one at a time; of all decoders, for no string stays here.
let decoded = Buffer.alloc(4096)

/**
 * Reads field blocks of one direction of a connection (RFC 7541), in the order in which they came. Each field is counted
 * and checked as it is read: a reference of one byte costs what it stands for, and beyond the limits nothing is kept, but
 * for what belongs into the table, so that what follows on other streams is still understood. The work is linear in the
 * bytes of the block, which the caller bounds.
 *
 * After `decode` the results stand in `headers`, `fault` and `sensitive` until the next call.
 */
export class HpackDecoder {
  /**
   * The fields in their order, pseudo-header fields included, cookies not joined: a new list for each block, the
   * caller's to keep. Where the outcome is not `ok` those before the fault, which is enough for a line in a log.
   */
  headers: HeaderList = []
  /** What is wrong, fit for the peer; empty where the outcome is `ok`. */
  fault = ''
  /**
   * Names of the fields that the peer wants never indexed and that `HpackEncoder` would not treat so by itself. Who
   * passes them on has to keep it so (RFC 7541 section 6.2.3). Null for none.
   */
  sensitive: string[] | null = null

  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES)
  #largestTable: number
  #mustShrink = false
  // Of the block being read.
  #bytes: Buffer = decoded
  #at = 0
  #end = 0
  #outcome: DecodeOutcome = 'ok'
  #fieldsLeft = 0
  #bytesLeft = 0
  // Of the string read last.
  #text: Buffer = decoded
  #from = 0
  #to = 0
  #marks = 0

  /**
   * @param limits.tableBytes the SETTINGS_HEADER_TABLE_SIZE of our first SETTINGS frame, 4096 where it has none. Until
   * the peer acknowledges that it may use 4096 in any case.
   */
  constructor(limits: { readonly tableBytes: number } = { tableBytes: DEFAULT_TABLE_BYTES }) {
    this.#largestTable = Math.max(limits.tableBytes, DEFAULT_TABLE_BYTES)
  }

  /**
   * The peer acknowledged a SETTINGS_HEADER_TABLE_SIZE of ours: from here on it holds, and where the table is larger the
   * next block has to begin with making it smaller (RFC 7541 section 4.2). Not needed where it is 4096 for ever.
   */
  acknowledged(tableBytes: number): void {
    this.#largestTable = tableBytes
    this.#mustShrink = this.#table.capacity > tableBytes
  }

  /** What the table holds at the moment, in the bytes of RFC 7541 section 4.1. */
  get tableSize(): number {
    return this.#table.size
  }

  /**
   * Reads a whole field block: the fragments of HEADERS and its CONTINUATIONs joined.
   * @param bytes hold it from `start` up to `end`; nothing refers to them afterwards
   */
  decode(bytes: Buffer, start: number, end: number, limits: HeaderLimits): DecodeOutcome {
    this.headers = []
    this.fault = ''
    this.sensitive = null
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#outcome = 'ok'
    this.#fieldsLeft = limits.fields
    this.#bytesLeft = limits.bytes
    if (this.#sizeUpdates()) while (this.#at < end && this.#field());
    this.#bytes = this.#text = decoded
    return this.#outcome
  }

  /** Reads the changes of the table's size, which stand before all fields (RFC 7541 section 4.2). */
  #sizeUpdates(): boolean {
    for (let updates = 0; this.#at < this.#end; updates++) {
      if (((this.#bytes[this.#at] as number) & 0xe0) !== 0x20) break
      if (updates === 2) return this.#broken('the size of the header table changes more than twice')
      const size = this.#integer(0x1f)
      if (size < 0) return false
      if (size > this.#largestTable) return this.#broken('the header table is made larger than allowed')
      this.#table.resize(size)
      this.#mustShrink = false
    }
    return this.#mustShrink ? this.#broken('the header table is not made as small as was asked') : true
  }

  /** Reads one field (RFC 7541 section 6). Returns whether to go on. */
  #field(): boolean {
    const first = this.#bytes[this.#at] as number
    if (first >= 0x80) {
      const index = this.#integer(0x7f)
      return index >= 0 && this.#indexed(index)
    }
    if (first >= 0x40) {
      const index = this.#integer(0x3f)
      return index >= 0 && this.#literal(index, true, false)
    }
    if (first >= 0x20) return this.#broken('the size of the header table changes between fields')
    const index = this.#integer(0x0f)
    return index >= 0 && this.#literal(index, false, first >= 0x10)
  }

  #indexed(index: number): boolean {
    if (index <= STATIC_ENTRIES) {
      if (index === 0) return this.#broken('there is no header of index 0')
      const name = STATIC_NAMES[index] as string
      const value = STATIC_VALUES[index] as string
      if (this.#counts(name.length + value.length)) this.headers.push(name, value)
      return true
    }
    const table = this.#table
    const age = index - STATIC_ENTRIES
    if (age > table.count) return this.#broken('a header is referred to that is not in the table')
    const entry = table.inserted - age
    const name = table.name(entry)
    const value = table.value(entry)
    if (this.#counts(name.length + value.length) && this.#isSound(table.faults(entry)))
      this.headers.push(name, value)
    return true
  }

  #literal(nameIndex: number, inserts: boolean, sensitive: boolean): boolean {
    const table = this.#table
    let name = ''
    let nameLength: number
    let faults = 0
    if (nameIndex === 0) {
      if (!this.#string()) return false
      nameLength = this.#to - this.#from
      faults = nameFault(this.#text, this.#from, this.#to, this.#marks)
      const mayStay = this.#outcome === 'ok' && nameLength <= this.#bytesLeft
      if (mayStay || (inserts && nameLength < table.capacity))
        name = names.find(this.#text, this.#from, this.#to)
    } else if (nameIndex <= STATIC_ENTRIES) {
      name = STATIC_NAMES[nameIndex] as string
      nameLength = name.length
    } else {
      const age = nameIndex - STATIC_ENTRIES
      if (age > table.count) return this.#broken('a header is referred to that is not in the table')
      name = table.name(table.inserted - age)
      nameLength = name.length
      faults = table.faults(table.inserted - age) & NAME_FAULTS
    }
    if (!this.#string()) return false
    faults |= valueFault(this.#text, this.#from, this.#to, this.#marks)
    const length = nameLength + this.#to - this.#from
    const kept = this.#counts(length) && this.#isSound(faults)
    if (inserts && length + ENTRY_OVERHEAD > table.capacity) {
      table.clear()
      inserts = false
    }
    if (!kept && !inserts) return true
    const value = byteString(this.#text, this.#from, this.#to)
    if (inserts) table.add(name, value, faults)
    if (!kept) return true
    this.headers.push(name, value)
    if (sensitive && !isNeverIndexed(name)) (this.sensitive ??= []).push(name)
    return true
  }

  /** Counts a field against the limits. Returns whether it is kept as far as they go. */
  #counts(length: number): boolean {
    if (this.#outcome !== 'ok') return false
    this.#bytesLeft -= length + ENTRY_OVERHEAD
    if (--this.#fieldsLeft >= 0 && this.#bytesLeft >= 0) return true
    this.#outcome = 'too_large'
    this.fault =
      this.#fieldsLeft < 0 ? 'there are more header fields than allowed' : 'the header is larger than allowed'
    return false
  }

  #isSound(faults: number): boolean {
    if (faults === 0) return true
    this.#outcome = 'malformed'
    this.fault = faultText(faults)
    return false
  }

  /** Reads a string (RFC 7541 section 5.2). Where it stands is in `#text`, `#from`, `#to`, and its marks in `#marks`. */
  #string(): boolean {
    if (this.#at >= this.#end) return this.#broken('a header block ends within a field')
    const bytes = this.#bytes
    const huffman = (bytes[this.#at] as number) >= 0x80
    const length = this.#integer(0x7f)
    if (length < 0) return false
    const from = this.#at
    const to = from + length
    if (to > this.#end) return this.#broken('a header block ends within a string')
    this.#at = to
    if (!huffman) {
      let marks = 0
      for (let at = from; at < to; at++) marks |= MARKS[bytes[at] as number] as number
      this.#text = bytes
      this.#from = from
      this.#to = to
      this.#marks = marks
      return true
    }
    if (decoded.length < huffmanRoom(length)) decoded = Buffer.alloc(huffmanRoom(length) * 2)
    const result = decodeHuffman(bytes, from, to, decoded)
    if (result < 0) return this.#broken('a Huffman-coded string is malformed')
    this.#text = decoded
    this.#from = 0
    this.#to = result >> 2
    this.#marks = result & 3
    return true
  }

  /** Reads an integer whose prefix is these bits of the next byte (RFC 7541 section 5.1); -1 where it is none. */
  #integer(prefix: number): number {
    const bytes = this.#bytes
    let value = (bytes[this.#at++] as number) & prefix
    if (value < prefix) return value
    let factor = 1
    for (let octets = 0; octets < INTEGER_OCTETS; octets++) {
      if (this.#at >= this.#end) {
        this.#broken('a header block ends within an integer')
        return -1
      }
      const byte = bytes[this.#at++] as number
      value += (byte & 0x7f) * factor
      if (value > LARGEST_INTEGER) break
      if (byte < 0x80) return value
      factor *= 128
    }
    this.#broken('an integer in a header block is too large')
    return -1
  }

  #broken(fault: string): false {
    this.#outcome = 'compression_error'
    this.fault = fault
    return false
  }
}

function byteString(bytes: Buffer, from: number, to: number): string {
  // As fast for ten bytes; a length or a status is read in a third of the time.
  if (to - from > 6) return bytes.toString('latin1', from, to)
  let text = ''
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] as number)
  return text
}
