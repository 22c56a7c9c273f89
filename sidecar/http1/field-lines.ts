import type { HeaderList } from '../exchange/headers.ts'
import { headerNames } from './header-names.ts'

let scratch = Buffer.alloc(16_384)

/**
 * The bytes of a head that was decoded already, for scanning: reading bytes one by one is faster than reading the
 * characters of a string. Valid until the next call. A NUL stands behind them, at which every scan ends.
 * @param text a byte string
 */
export function bytesOf(text: string): Buffer {
  if (text.length >= scratch.length) scratch = Buffer.alloc(text.length * 2)
  scratch.write(text, 0, 'latin1')
  scratch[text.length] = 0
  return scratch
}

/** The fault of a section with more fields than its limit; told apart because it is not a syntax error. */
export const TOO_MANY_FIELDS = 'there are more header fields than allowed'

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const COLON = 0x3a
const DELETE = 0x7f

/**
 * Reads field lines up to the end of `text` (RFC 9112 section 5), the empty line included, into a flat list: names in
 * lower case and interned, values without the white space around them.
 *
 * Strict: no folding, no white space before the colon, no control character but tab in a value, CRLF only.
 *
 * @param text a byte string that ends with the empty line
 * @param bytes the same from `bytesOf`
 * @param from where the first line begins
 * @param limit how many fields are allowed
 * @returns what is wrong, fit for a client, or null
 */
export function parseFieldLines(
  text: string,
  bytes: Buffer,
  from: number,
  limit: number,
  headers: HeaderList,
): string | null {
  const end = text.length
  let at = from
  let count = 0
  while (at < end) {
    const name = headerNames.intern(bytes, at)
    at += name.length
    if (bytes[at] !== COLON || name === '') {
      if (name !== '') return 'a header field has no colon directly after its name'
      if (bytes[at] !== CR) return 'a header line does not begin with a field name'
      return bytes[at + 1] === LF && at + 2 === end ? null : 'the end of the head is malformed'
    }
    if (++count > limit) return TOO_MANY_FIELDS
    let code = bytes[++at] as number
    while (code === SPACE || code === TAB) code = bytes[++at] as number
    const start = at
    while ((code >= SPACE && code !== DELETE) || code === TAB) code = bytes[++at] as number
    if (code !== CR || bytes[at + 1] !== LF) return 'a header field contains a control character'
    let stop = at
    while (stop > start && isBlank(bytes[stop - 1] as number)) stop--
    // Parsers disagree about what such a line says.
    if (stop < at && name === 'transfer-encoding') return 'transfer-encoding ends with white space'
    headers.push(name, text.slice(start, stop))
    at += 2
  }
  return 'the head does not end with an empty line'
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}
