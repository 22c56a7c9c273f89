import type { ScalarNode } from './nodes.ts'

/** Thrown where a text leaves the small part of YAML that `parsePlainYaml` reads. */
export const SOMETHING_ELSE = Symbol('something else')

/** How a plain value begins that is no mark of YAML. */
const UNMARKED = /^[^-?:,[\]{}#&*!|>'"%@`]/
const NUMBER = /^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?$/
/** What the core schema reads as a number, or as a word that is not text, in any of its spellings. */
const NUMERIC = /^[-+]?(?:0[ox][0-9a-f]+|(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:e[-+]?[0-9]+)?|\.inf|\.nan)$/i
const WORD = /^(?:true|false|null|~|<<)$/i
/** A letter or a slash that no number and no such word begins with: mostly that is all there is to ask. */
const SURELY_TEXT = /^[A-EG-MO-SU-Za-eg-mo-su-z/]/
const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
])

/** Text in quotes, without them and without its escapes. */
export function quotedScalar(offset: number, value: string): ScalarNode {
  return { kind: 'scalar', offset, value, plain: false, written: null, anchor: null, tagged: false }
}

/** What stands without quotes. */
export function plainScalar(offset: number, text: string): ScalarNode {
  const value = plainValue(text)
  const written = typeof value === 'string' ? null : text
  return { kind: 'scalar', offset, value, plain: true, written, anchor: null, tagged: false }
}

function plainValue(text: string): ScalarNode['value'] {
  if (SURELY_TEXT.test(text)) return text
  if (NUMBER.test(text)) return Number(text)
  const word = WORDS.get(text)
  if (word !== undefined) return word
  if (!UNMARKED.test(text) || WORD.test(text) || NUMERIC.test(text)) throw SOMETHING_ELSE
  return text
}
