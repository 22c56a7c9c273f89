/** Mark of a byte that does not stand in a field name: no token character in lower case (RFC 9113 section 8.2.1). */
export const NOT_OF_NAME = 1
/** Mark of a byte that does not stand in a field value: a control character but tab (RFC 9110 section 5.5). */
export const NOT_OF_VALUE = 2

const TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
const TAB = 0x09
const SPACE = 0x20
const COLON = 0x3a
const DELETE = 0x7f

/** The marks of each byte. */
export const MARKS: Uint8Array = new Uint8Array(256).fill(NOT_OF_NAME)
for (let byte = 0; byte < 256; byte++) {
  if ((byte < SPACE && byte !== TAB) || byte === DELETE) MARKS[byte] = NOT_OF_NAME | NOT_OF_VALUE
}
for (const char of TOKEN) MARKS[char.charCodeAt(0)] = 0

// What is wrong with a field, as bits that a table entry keeps: those of its name, then those of its value.
const EMPTY_NAME = 1
const BAD_NAME = 2
const BAD_VALUE = 4
const BLANK_ENDS = 8

/** The bits of `nameFault`: what an entry's name brings into a literal that refers to it. */
export const NAME_FAULTS: number = EMPTY_NAME | BAD_NAME

/**
 * What is wrong with a field name, 0 for nothing. A pseudo-header field is a colon and a name; which there are is not
 * asked here.
 * @param marks of all its bytes together
 */
export function nameFault(bytes: Uint8Array, from: number, to: number, marks: number): number {
  if (from === to) return EMPTY_NAME
  if ((marks & NOT_OF_NAME) === 0) return 0
  if (bytes[from] !== COLON || to - from === 1) return BAD_NAME
  for (let at = from + 1; at < to; at++) if (MARKS[bytes[at] as number] !== 0) return BAD_NAME
  return 0
}

/**
 * What is wrong with a field value, 0 for nothing.
 * @param marks of all its bytes together
 */
export function valueFault(bytes: Uint8Array, from: number, to: number, marks: number): number {
  if (from === to) return 0
  if ((marks & NOT_OF_VALUE) !== 0) return BAD_VALUE
  return isBlank(bytes[from] as number) || isBlank(bytes[to - 1] as number) ? BLANK_ENDS : 0
}

/** Faults in words, fit for the peer. */
export function faultText(faults: number): string {
  if ((faults & EMPTY_NAME) !== 0) return 'a field name is empty'
  if ((faults & BAD_NAME) !== 0) return 'a field name contains a character that does not belong there'
  if ((faults & BAD_VALUE) !== 0) return 'a field value contains a control character'
  return 'a field value begins or ends with white space'
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB
}
