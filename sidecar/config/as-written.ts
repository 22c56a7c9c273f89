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
  /** With a backtick in it, in backticks, in texts, in our own words. */
  readonly #ticked: readonly Sought[]
  readonly #quoted: readonly Sought[]
  readonly #texts: readonly Sought[]
  readonly #words: readonly Sought[]

  constructor(references: readonly ResolvedReference[]) {
    this.#whole = new Map(references.map(({ value, written }) => [value, written]))
    // The longest first, since one may hold another.
    const sorted = references.filter(({ value }) => value !== '').map(sought)
    sorted.sort((a, b) => b.value.length - a.value.length)
    this.#ticked = sorted.filter(({ value }) => value.includes('`'))
    this.#quoted = sorted
    this.#texts = sorted.filter(({ value }) => value.length >= SHORT)
    this.#words = sorted.filter(({ value, plain }) => value.length > SHORT && !plain)
  }

  text(text: string): string {
    return this.#whole.get(text) ?? replaced(text, this.#texts)
  }

  sentence(text: string): string {
    const parts = replaced(text, this.#ticked).split('`')
    // A backtick without its other half begins what may be anything.
    return parts
      .map((part, index) =>
        index % 2 === 1
          ? (this.#whole.get(part) ?? replaced(part, this.#quoted))
          : replaced(part, this.#words),
      )
      .join('`')
  }
}

/** One for each configuration: its texts are many. */
const writings = new WeakMap<readonly ResolvedReference[], Writing>()

function writingOf(references: readonly ResolvedReference[]): Writing {
  let writing = writings.get(references)
  if (writing === undefined) writings.set(references, (writing = new Writing(references)))
  return writing
}

/** A value as it is looked for: in lower case, since header names and hosts are shown so. */
interface Sought {
  readonly value: string
  readonly written: string
  /** Whether it may be a word of ours. */
  readonly plain: boolean
  /** Whether no letter or digit may stand before it, and after it: `on` is not found in `connection`. */
  readonly bounds: readonly [before: boolean, after: boolean]
}

function sought({ value, written, within }: ResolvedReference): Sought {
  const anywhere = value.length >= LONG || (within === true && value.length >= SHORT)
  const bounds = [!anywhere && /^\w/.test(value), !anywhere && /\w$/.test(value)] as const
  return { value: lower(value), written, plain: /^[a-z]+$/.test(value), bounds }
}

/** With ASCII in lower case, which keeps every place. */
function lower(text: string): string {
  return text.replace(/[A-Z]+/g, letters => letters.toLowerCase())
}

/** What is found first keeps its place, so that nothing is looked for in what stands in the place of another value. */
function replaced(text: string, values: readonly Sought[]): string {
  const small = lower(text)
  const found: { readonly from: number; readonly to: number; readonly written: string }[] = []
  for (const { value, written, bounds } of values) {
    if (value.length > small.length) continue
    for (let from = small.indexOf(value); from !== -1; from = small.indexOf(value, from + 1)) {
      const to = from + value.length
      if (bounds[0] && /\w/.test(small.charAt(from - 1))) continue
      if (bounds[1] && /\w/.test(small.charAt(to))) continue
      if (found.some(other => from < other.to && other.from < to)) continue
      found.push({ from, to, written })
    }
  }
  let shown = ''
  let at = 0
  for (const { from, to, written } of found.toSorted((a, b) => a.from - b.from)) {
    shown += text.slice(at, from) + written
    at = to
  }
  return shown + text.slice(at)
}
