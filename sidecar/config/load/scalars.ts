import { z } from 'zod'
import { didYouMean } from './suggestion.ts'
import { Referenced } from './referenced.ts'

/** A character of a text. */
export interface Within {
  readonly text: string
  readonly at: number
}

/** What a reader of a value answers when the value is not one. */
export class Wrong {
  readonly message: string
  readonly suggestion: string | undefined
  /** The place inside of the value, where it is long. */
  readonly within: Within | undefined
  constructor(message: string, suggestion?: string, within?: Within) {
    this.message = message
    this.suggestion = suggestion
    this.within = within
  }
}

type Json = Readonly<Record<string, unknown>>

/**
 * A single value of the configuration: how it is read, and what the JSON Schema says of its spelling. References are
 * unwrapped here; one that is unresolved counts as `standIn`. Where the format is `template`, braces that a reference
 * brought are plain ones.
 *
 * @param read gets what was written: text (also for a number that a reference brought), a number or a boolean
 */
export function scalar<T>(json: Json, standIn: T, read: (value: unknown, shown: string) => T | Wrong) {
  return z
    .unknown()
    .transform((value, context): T => {
      if (value instanceof Referenced && !value.resolved) return standIn
      const shown = show(value)
      const referenced = json['format'] === 'template' ? 'template' : 'text'
      const result = read(value instanceof Referenced ? value[referenced] : value, shown)
      if (!(result instanceof Wrong)) return result
      context.issues.push({
        code: 'custom',
        input: value,
        message: result.message,
        params: { suggestion: result.suggestion, within: result.within },
      })
      return z.NEVER
    })
    .meta(json)
}

/** A value as errors show it: short, and never what a reference brought. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'no value'
  if (value instanceof Referenced) return `\`${value.written}\``
  if (typeof value === 'string')
    return `\`${printable(value.length > 60 ? `${value.slice(0, 60)}...` : value)}\``
  if (typeof value === 'number') return `the number ${value}`
  if (typeof value === 'boolean') return `\`${value ? 'on' : 'off'}\` (${value})`
  return Array.isArray(value) ? 'a list' : 'a map'
}

/** Text without control characters: an error is printed on terminals. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
  return text.replace(
    /[\x00-\x1f\x7f-\x9f]/g,
    character => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** Text that has to be written as text: a bare number or boolean would arrive changed. */
export function text<T = string>(
  expected: string,
  json: Json,
  standIn: T,
  read: (value: string, shown: string) => T | Wrong,
) {
  return scalar<T>({ type: 'string', ...json }, standIn, (value, shown) => {
    if (typeof value === 'string') return read(value, shown)
    if (typeof value === 'number')
      return new Wrong(
        `expected ${expected}, and a bare number is not text`,
        expected === 'an address' ? `write: ":${value}"` : 'quote it',
      )
    if (typeof value === 'boolean')
      return new Wrong(`expected ${expected}, not ${shown}`, 'quote it if the word itself is meant')
    return new Wrong(`expected ${expected}, got ${shown}`)
  })
}

/** Any text without control characters. */
export const anyText = text('text', {}, '', value =>
  // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
  /[\x00-\x08\x0a-\x1f\x7f]/.test(value) ? new Wrong('control characters cannot stand here') : value,
)

export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'
const NAME = new RegExp(NAME_PATTERN)
const RESERVED = new Set(['none', 'other', 'anonymous'])

/** Text that names something: letters, digits, `.`, `_`, `-`, at most 63. */
export function parseName(value: string, shown: string): string | Wrong {
  if (!NAME.test(value)) {
    return new Wrong(
      `${shown} is no name: letters, digits, \`.\`, \`_\` and \`-\`, at most 63, the first a letter or digit`,
    )
  }
  return RESERVED.has(value)
    ? new Wrong(`the name \`${value}\` is reserved: it stands for something else in metrics`)
    : value
}
export const nameText = text('a name', { pattern: NAME_PATTERN }, 'name', parseName)
/** The name of something else; whether that is there is checked when everything is read. */
export const referenceName = text('a name', { pattern: NAME_PATTERN }, 'name', value => value)

/** `on` or `off`. */
export const flag = scalar<boolean>({ type: 'boolean' }, false, (value, shown) => {
  if (typeof value === 'boolean') return value
  if (value === 'on' || value === 'true') return true
  if (value === 'off' || value === 'false') return false
  const word = typeof value === 'string' ? value.toLowerCase() : ''
  const meant = { yes: 'on', no: 'off', on: 'on', off: 'off', y: 'on', n: 'off' }[word]
  return new Wrong(`expected \`on\` or \`off\`, got ${shown}`, meant && `write: ${meant}`)
})

/** One of some words. */
export function oneOf<const W extends string>(words: readonly W[], later: readonly string[] = []) {
  return text<W>(wordList(words), { enum: words }, words[0] as W, (value, shown) => {
    const found = words.find(word => word === value)
    if (found !== undefined) return found
    if (later.includes(value)) return new Wrong(`${shown} is not supported yet: expected ${wordList(words)}`)
    return new Wrong(`expected ${wordList(words)}, got ${shown}`, didYouMean(value, words))
  })
}

function wordList(words: readonly string[]): string {
  const quoted = words.map(word => `\`${word}\``)
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
}

/** A whole number in a range. */
export function integer(min: number, max: number) {
  return scalar<number>({ type: 'integer', minimum: min, maximum: max }, min, (value, shown) =>
    readInteger(value, shown, min, max),
  )
}
/** A whole number in a range, or `off`, which is null. */
export function integerOrOff(min: number, max: number) {
  const json = { anyOf: [{ type: 'integer', minimum: min, maximum: max }, { const: false }] }
  return scalar<number | null>(json, null, (value, shown) =>
    isOff(value) ? null : readInteger(value, shown, min, max, ' or `off`'),
  )
}

function readInteger(value: unknown, shown: string, min: number, max: number, or = ''): number | Wrong {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  const expected = `expected a whole number from ${min} to ${max}${or}`
  if (typeof number !== 'number' || !Number.isInteger(number)) return new Wrong(`${expected}, got ${shown}`)
  return number < min || number > max ? new Wrong(`${expected}, got ${shown}`) : number
}

/** `off`, also where a reference or a JSON file brought it as text. */
export function isOff(value: unknown): boolean {
  return value === false || value === 'off'
}

/** `on`, also where a reference or a JSON file brought it as text. */
export function isOn(value: unknown): boolean {
  return value === true || value === 'on'
}

/** A number in a range, fractions allowed. */
export function decimal(min: number, max: number) {
  return scalar<number>({ type: 'number', minimum: min, maximum: max }, min, (value, shown) => {
    const number = typeof value === 'string' && /^\d{1,9}(\.\d{1,9})?$/.test(value) ? Number(value) : value
    if (typeof number === 'number' && number >= min && number <= max) return number
    return new Wrong(`expected a number from ${min} to ${max}, got ${shown}`)
  })
}

/** A share of a hundred, fractions allowed. */
export const percent = scalar<number>({ type: 'number', minimum: 0, maximum: 100 }, 100, (value, shown) =>
  readPercent(value, shown),
)
/** A share of a hundred, or `off`, which is 0. */
export const percentOrOff = scalar<number>(
  { anyOf: [{ type: 'number', minimum: 0, maximum: 100 }, { const: false }] },
  100,
  (value, shown) => (isOff(value) ? 0 : readPercent(value, shown, ' or `off`')),
)

function readPercent(value: unknown, shown: string, or = ''): number | Wrong {
  const number = typeof value === 'string' && /^\d{1,3}(\.\d+)?$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && number >= 0 && number <= 100) return number
  return new Wrong(`expected a number from 0 to 100${or}, got ${shown}`)
}
