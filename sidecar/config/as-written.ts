import type { ResolvedReference } from './resolved.ts'

/** A value of one or two characters is no secret and stands in many texts: it is replaced only where it is all that stands there. */
const SHORT = 3
/** From this length on a value is replaced wherever it stands, also within a word. */
const LONG = 8

/** A text of the configuration with references in the place of what they brought. */
export function asWritten(text: string, references: readonly ResolvedReference[]): string {
  return writingOf(references).text(text)
}

/**
 * A sentence about a configuration with references in the place of what they brought. What a configuration says stands in
 * backticks there; what stands elsewhere are words of ours, which a value may be by chance.
 */
export function sentenceAsWritten(text: string, references: readonly ResolvedReference[]): string {
  return writingOf(references).sentence(text)
}

/** How references are put in the place of what they brought. */
class Writing {
  readonly #whole: ReadonlyMap<string, string>
  readonly #written: ReadonlyMap<string, string>
  /** With a backtick in it, in backticks, in texts, in our own words. */
  readonly #ticked: RegExp | null
  readonly #quoted: RegExp | null
  readonly #texts: RegExp | null
  readonly #words: RegExp | null

  constructor(references: readonly ResolvedReference[]) {
    this.#whole = new Map(references.map(({ value, written }) => [value, written]))
    // Header names and hosts are compared in lower case, and then shown so.
    this.#written = new Map(references.map(({ value, written }) => [value.toLowerCase(), written]))
    this.#ticked = patternOf(references.filter(({ value }) => value.includes('`')))
    this.#quoted = patternOf(references)
    this.#texts = patternOf(references.filter(({ value }) => value.length >= SHORT))
    this.#words = patternOf(references.filter(({ value }) => value.length > SHORT && !/^[a-z]+$/.test(value)))
  }

  text(text: string): string {
    return this.#whole.get(text) ?? this.#replaced(text, this.#texts)
  }

  sentence(text: string): string {
    const parts = this.#replaced(text, this.#ticked).split('`')
    // A backtick without its other half begins what may be anything.
    return parts
      .map((part, index) =>
        index % 2 === 1
          ? (this.#whole.get(part) ?? this.#replaced(part, this.#quoted))
          : this.#replaced(part, this.#words),
      )
      .join('`')
  }

  /** In one pass, so that nothing is looked for in what stands in the place of another value. */
  #replaced(text: string, pattern: RegExp | null): string {
    if (pattern === null || text === '') return text
    return text.replaceAll(pattern, found => this.#written.get(found.toLowerCase()) ?? found)
  }
}

/** One for each configuration: its texts are many. */
const writings = new WeakMap<readonly ResolvedReference[], Writing>()

function writingOf(references: readonly ResolvedReference[]): Writing {
  let writing = writings.get(references)
  if (writing === undefined) writings.set(references, (writing = new Writing(references)))
  return writing
}

/** Any of the values, the longest first, since one may hold another. */
function patternOf(references: readonly ResolvedReference[]): RegExp | null {
  const values = references.filter(({ value }) => value !== '')
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => b.value.length - a.value.length)
  return new RegExp(sorted.map(valuePattern).join('|'), 'gi')
}

/** Not in the middle of a word, so that `on` is not found in `connection`: unless it is long, or was written into one. */
function valuePattern({ value, within }: ResolvedReference): string {
  const escaped = RegExp.escape(value)
  if (value.length >= LONG || (within === true && value.length >= SHORT)) return escaped
  return `${/^\w/.test(value) ? String.raw`(?<!\w)` : ''}${escaped}${/\w$/.test(value) ? String.raw`(?!\w)` : ''}`
}
