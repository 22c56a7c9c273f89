import { isUtf8 } from 'node:buffer'

/**
 * A header list as the codecs read and write it: flat, name and value in turn, names in lower case, order and
 * repetitions kept. Values are byte strings: each code unit is one byte of the wire (at most 0xff).
 */
export type HeaderList = string[]

/** What a field value may consist of on the wire (RFC 9110 section 5.5, obs-text included). */
export const WIRE_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** The first value of a field, or undefined. `name` is in lower case. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}

/** Whether the list has a field. `name` is in lower case. */
export function hasHeader(headers: HeaderList, name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true
  return false
}

/** Every value of a field, in order. `name` is in lower case. */
export function headerValues(headers: HeaderList, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) values.push(headers[i + 1] as string)
  return values
}

/** Removes every line of a field, in place. Returns whether there was one. */
export function removeHeader(headers: HeaderList, name: string): boolean {
  let to = 0
  for (let from = 0; from < headers.length; from += 2) {
    if (headers[from] === name) continue
    if (to !== from) {
      headers[to] = headers[from] as string
      headers[to + 1] = headers[from + 1] as string
    }
    to += 2
  }
  const removed = to !== headers.length
  headers.length = to
  return removed
}

/** Makes the field stand once in the list, with this value; the first line keeps its place. */
export function setHeader(headers: HeaderList, name: string, value: string): void {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue
    headers[i + 1] = value
    for (let j = headers.length - 2; j > i; j -= 2) if (headers[j] === name) headers.splice(j, 2)
    return
  }
  headers.push(name, value)
}

/**
 * The members of a comma-separated field (RFC 9110 section 5.6.1) over all its lines, trimmed, empty ones left out.
 * For fields whose members hold no quoted comma: connection, te, transfer-encoding, upgrade, via.
 */
export function listMembers(headers: HeaderList, name: string): string[] {
  const members: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue
    for (const part of (headers[i + 1] as string).split(',')) {
      const member = trimBlanks(part)
      if (member !== '') members.push(member)
    }
  }
  return members
}

/**
 * Cuts spaces and tabs off both ends (OWS, RFC 9110 section 5.6.3). `trim()` would also take 0xa0, which is an ordinary
 * byte on the wire: `chunked\xa0` would become `chunked` for us and stay something else for the next hop.
 */
function trimBlanks(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/**
 * Text as a byte string fit for a field value: UTF-8, each byte one code unit. Null where the text holds a control
 * character, which would end the line or hide something in it.
 */
export function toWire(text: string): string | null {
  if (/^[\t\x20-\x7e]*$/.test(text)) return text
  // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) return null
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** A byte string as text: UTF-8 where it is valid UTF-8, else each byte the character of that number. */
export function fromWire(bytes: string): string {
  if (/^[\x00-\x7f]*$/.test(bytes)) return bytes
  const buffer = Buffer.from(bytes, 'latin1')
  return isUtf8(buffer) ? buffer.toString('utf8') : bytes
}
