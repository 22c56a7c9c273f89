import { type HeaderList, WIRE_VALUE } from '../../exchange/headers.ts'
import { DEFAULT_TABLE_BYTES, DynamicTable, ENTRY_OVERHEAD } from './dynamic-table.ts'
import { MARKS, nameFault, NOT_OF_VALUE } from './field-bytes.ts'
import { encodeHuffman, huffmanLength } from './huffman.ts'
import { NameEntries } from './name-entries.ts'
import { STATIC_ENTRIES, STATIC_VALUES } from './static-table.ts'

// An octet of an integer holds seven bits, and nothing here is longer than 2^31 - 1.
const INTEGER_OCTETS = 6
// What a field takes beyond its name and value: the index or two lengths.
const FIELD_OVERHEAD = 2 * INTEGER_OCTETS + 1
const TWO_SIZE_UPDATES = 2 * INTEGER_OCTETS

// The pattern of a literal that goes into the table; the others have a prefix of four bits.
const INDEXED = 0x40

// Shorter strings are faster written byte by byte than by a call out of the engine.
const LONGEST_LOOP = 24

/** Names beyond these, and long ones, are sent without being remembered. */
const NAMES_KEPT = 256
const LONGEST_KEPT = 64

// `trim()` would take 0xa0 too, which is an ordinary byte on the wire.
const BLANK_ENDS = /^[ \t]+|[ \t]+$/g

/**
 * Writes field blocks of one direction of a connection (RFC 7541), each with `begin`, `field` for each field, `end`.
 * Blocks go out in the order in which they were begun. One that was begun and not ended is forgotten: the next one begins
 * by clearing the table on both sides.
 */
export class HpackEncoder {
  /**
   * Where the block is. Where the buffer given to `begin` is too small a larger one with the same beginning takes its
   * place, so read it after `end`.
   */
  out: Buffer = Buffer.alloc(0)
  #at = 0
  #open = false
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES)
  readonly #names = new Map<string, NameEntries>()
  // What the next block has to say about the table's size: the least it had to be since the last one, and what it is.
  #least = DEFAULT_TABLE_BYTES
  #next = DEFAULT_TABLE_BYTES

  /**
   * The peer's SETTINGS_HEADER_TABLE_SIZE, when its SETTINGS are acknowledged. More than 4096 is not made use of.
   */
  resize(tableBytes: number): void {
    this.#next = Math.min(tableBytes, DEFAULT_TABLE_BYTES)
    this.#least = Math.min(this.#least, this.#next)
  }

  /** How many names are remembered. */
  get namesKept(): number {
    return this.#names.size
  }

  /** Begins a block in `out` at this place. */
  begin(out: Buffer, at: number): void {
    this.out = out
    this.#at = at
    const lost = this.#open
    if (lost) this.#least = 0
    this.#open = true
    const table = this.#table
    if (lost || this.#least < table.capacity || this.#next !== table.capacity) {
      this.#room(TWO_SIZE_UPDATES)
      if (this.#least < this.#next) this.#integer(0x20, 0x1f, this.#least)
      this.#integer(0x20, 0x1f, this.#next)
      table.resize(this.#least)
      table.resize(this.#next)
    }
    this.#least = this.#next
  }

  /**
   * Writes a field.
   * @param name in lower case; pseudo-header fields come first
   * @param value a byte string; white space at its ends, which HTTP/2 does not allow, is left out
   * @throws Error where one of them does not belong on the wire: a bug of whoever made it
   */
  field(name: string, value: string): void {
    if (hasBlankEnds(value)) return this.field(name, value.replace(BLANK_ENDS, ''))
    const entries = this.#names.get(name) ?? this.#entriesOf(name)
    const table = this.#table
    const oldest = table.inserted - table.count
    for (let index = entries.firstStatic; index <= entries.lastStatic; index++) {
      if (STATIC_VALUES[index] !== value) continue
      this.#room(FIELD_OVERHEAD)
      this.#integer(0x80, 0x7f, index)
      return
    }
    if (entries.indexing === 'never') {
      this.#literal(0x10, entries, name, value)
      return
    }
    if (entries.indexing === 'adaptive') {
      const entry = entries.find(table, value, oldest)
      if (entry >= 0) {
        this.#room(FIELD_OVERHEAD)
        this.#integer(0x80, 0x7f, STATIC_ENTRIES + table.inserted - entry)
        return
      }
    }
    if (
      !entries.indexes(value, oldest) ||
      (name.length + value.length + ENTRY_OVERHEAD) * 2 > table.capacity
    ) {
      this.#literal(0x00, entries, name, value)
      return
    }
    this.#literal(INDEXED, entries, name, value)
    entries.remember(table.inserted)
    table.add(name, value, 0)
  }

  /** Writes a field that a peer wants never indexed, on this connection or on any after it (RFC 7541 section 6.2.3). */
  sensitive(name: string, value: string): void {
    if (hasBlankEnds(value)) return this.sensitive(name, value.replace(BLANK_ENDS, ''))
    this.#literal(0x10, this.#names.get(name) ?? this.#entriesOf(name), name, value)
  }

  /** Writes the fields of a list, name and value in turn. */
  fields(headers: HeaderList): void {
    // Names and values alternate, so both are there.
    for (let i = 0; i < headers.length; i += 2) this.field(headers[i] as string, headers[i + 1] as string)
  }

  /** Writes the fields of a list, those of these names as `sensitive` does. */
  guardedFields(headers: HeaderList, names: readonly string[]): void {
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      const value = headers[i + 1] as string
      if (names.includes(name)) this.sensitive(name, value)
      else this.field(name, value)
    }
  }

  /** Ends the block. Returns the place behind it in `out`. */
  end(): number {
    this.#open = false
    return this.#at
  }

  #entriesOf(name: string): NameEntries {
    const bytes = Buffer.from(name, 'latin1')
    let marks = 0
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i)
      marks |= code > 0xff ? 0xff : (MARKS[code] as number)
    }
    if (nameFault(bytes, 0, bytes.length, marks) !== 0)
      throw new Error('a header name is no token in lower case')
    const entries = new NameEntries(name)
    if (name.length > LONGEST_KEPT) return entries
    if (this.#names.size >= NAMES_KEPT) this.#forgetNames()
    this.#names.set(name, entries)
    return entries
  }

  /** Forgets the names that are not in the table, which holds fewer than are kept. */
  #forgetNames(): void {
    const oldest = this.#table.inserted - this.#table.count
    for (const [name, entries] of this.#names) if (entries.newest < oldest) this.#names.delete(name)
  }

  #literal(pattern: number, entries: NameEntries, name: string, value: string): void {
    this.#room(name.length + value.length + FIELD_OVERHEAD)
    const table = this.#table
    const prefix = pattern === INDEXED ? 0x3f : 0x0f
    if (entries.firstStatic !== 0) this.#integer(pattern, prefix, entries.firstStatic)
    else if (entries.newest >= table.inserted - table.count)
      this.#integer(pattern, prefix, STATIC_ENTRIES + table.inserted - entries.newest)
    else {
      this.out[this.#at++] = pattern
      // Checked when its entries were made.
      if (pattern === INDEXED) this.#huffman(name)
      else this.#plain(name)
    }
    const sound = pattern === INDEXED ? WIRE_VALUE.test(value) && this.#huffman(value) : this.#plain(value)
    if (!sound) throw new Error(`the value of ${name} contains a control or a wide character`)
  }

  /** Writes a byte string, Huffman-coded where that is shorter. */
  #huffman(text: string): boolean {
    const length = huffmanLength(text)
    if (length >= text.length) return this.#plain(text)
    this.#integer(0x80, 0x7f, length)
    this.#at = encodeHuffman(text, this.out, this.#at)
    return true
  }

  /**
   * Writes a string as it is. Returns whether it is fit for a value: what was written of another one is to be forgotten.
   *
   * Only what goes into the table is Huffman-coded, once. Of what is sent each time, 36 characters of an identifier took
   * 350 ns to be coded against 100 ns to be checked and copied, to save nine bytes.
   */
  #plain(text: string): boolean {
    const { length } = text
    this.#integer(0x00, 0x7f, length)
    const out = this.out
    if (length > LONGEST_LOOP) {
      out.write(text, this.#at, 'latin1')
      this.#at += length
      return WIRE_VALUE.test(text)
    }
    let at = this.#at
    let marks = 0
    let codes = 0
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      codes |= code
      marks |= MARKS[code & 0xff] as number
      out[at++] = code
    }
    this.#at = at
    return codes <= 0xff && (marks & NOT_OF_VALUE) === 0
  }

  #integer(pattern: number, prefix: number, value: number): void {
    const out = this.out
    if (value < prefix) {
      out[this.#at++] = pattern | value
      return
    }
    out[this.#at++] = pattern | prefix
    let rest = value - prefix
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out[this.#at++] = (rest & 0x7f) | 0x80
    out[this.#at++] = rest
  }

  #room(bytes: number): void {
    if (this.out.length - this.#at >= bytes) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.out.length * 2, this.#at + bytes))
    this.out.copy(larger, 0, 0, this.#at)
    this.out = larger
  }
}

function hasBlankEnds(value: string): boolean {
  return isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1))
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
