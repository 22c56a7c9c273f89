import { fromWire } from '../exchange/headers.ts'

/** Most bytes of one field in a log line; the rest is cut and marked. */
export const FIELD_BYTES = 2_048
const MARK = '…'

// Printable ASCII without quote and backslash: what JSON and a terminal take as it is.
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/
// What ends a line, moves a cursor, or shows text in another order: C0, C1, line separators, directional controls.
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g

/** A byte string from the wire as text, cut to the bound of a field. */
export function wireText(bytes: string): string {
  if (bytes.length <= FIELD_BYTES) return fromWire(bytes)
  let end = FIELD_BYTES
  // Never cut inside a UTF-8 character: its continuation bytes are 0x80 to 0xbf.
  for (let i = 0; i < 3 && (bytes.charCodeAt(end) & 0xc0) === 0x80; i++) end--
  return fromWire(bytes.slice(0, end)) + MARK
}

/** A byte string from the wire as a JSON string, cut to the bound of a field. */
export function wireJson(bytes: string): string {
  // Nearly every value is short and plain, and is looked at once.
  if (bytes.length <= FIELD_BYTES && PLAIN.test(bytes)) return `"${bytes}"`
  return jsonString(wireText(bytes))
}

/** `wireJson` that remembers its last answer: for values that are mostly the same from line to line. Holds one value. */
export class LastWireJson {
  #bytes = ''
  #json = '""'

  of(bytes: string): string {
    if (bytes !== this.#bytes) {
      this.#json = wireJson(bytes)
      this.#bytes = bytes
    }
    return this.#json
  }
}

/** Text of ours (a cause, a message) cut to the bound of a field. */
export function boundedText(text: string): string {
  if (text.length <= FIELD_BYTES) return text
  return text.slice(0, FIELD_BYTES) + MARK
}

/** A JSON string of the text that is safe to print as well. */
export function jsonString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  return JSON.stringify(text).replace(UNSAFE, unicodeEscape)
}

/** JSON strings of names of ours, which come again and again. Bounded: emptied when there are too many. */
export class JsonNames {
  readonly #known = new Map<string, string>()

  get(name: string): string {
    let text = this.#known.get(name)
    if (text === undefined) {
      text = jsonString(name)
      if (this.#known.size >= 4_096) this.#known.clear()
      this.#known.set(name, text)
    }
    return text
  }
}

/** Milliseconds with three digits after the point, the resolution of the clock. Never negative. */
export function formatMilliseconds(value: number): string {
  const micros = value > 0 && value < 1e12 ? Math.round(value * 1000) : 0
  const whole = Math.floor(micros / 1000)
  const rest = micros - whole * 1000
  return `${whole}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}`
}

/** The text for a terminal: what is unsafe as escapes, in quotes where it has spaces or quotes. */
export function terminalText(text: string): string {
  if (text !== '' && /^[\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return text
  return jsonString(text)
}

/** The text for a terminal without quotes, for messages of ours. */
export function terminalLine(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSAFE, unicodeEscape)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** `2026-01-02T03:04:05.678Z`. Kept as long as it holds, since at high rates many lines share a millisecond. */
export class Timestamps {
  #second = -1
  #prefix = ''
  #millisecond = -1
  #text = ''

  /** @param wall milliseconds since 1970 */
  format(wall: number): string {
    const millisecond = Math.floor(wall)
    if (millisecond === this.#millisecond) return this.#text
    const second = Math.floor(millisecond / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#prefix = new Date(second * 1000).toISOString().slice(0, 20)
    }
    const rest = millisecond - second * 1000
    this.#millisecond = millisecond
    this.#text = `${this.#prefix}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`
    return this.#text
  }
}
