// TypeScript 7 has no JavaScript API, and what the house rules need to know about a source file is little: where its
// code is, and what it imports.

/** One import of a source file. */
export interface Import {
  readonly specifier: string
  /** `type` is erased; `dynamic` is an `import()`; `value` is loaded with the file. */
  readonly kind: 'value' | 'type' | 'dynamic'
  /** Counted from 1. */
  readonly line: number
}

/**
 * The text with comments and the insides of strings, templates and regular expressions blanked, so that a search finds
 * code only. As long as the original, line ends kept.
 */
export function maskSource(text: string): string {
  const out = blank(text).split('')
  let at = 0
  // A slash begins a regular expression where no value stands before it.
  let valueBefore = false
  while (at < text.length) {
    const end = skipped(text, at, valueBefore)
    if (end !== null) {
      const isComment = text.startsWith('//', at) || text.startsWith('/*', at)
      if (!isComment) {
        out[at] = text.charAt(at)
        out[end - 1] = text.charAt(end - 1)
        valueBefore = true
      }
      at = end
      continue
    }
    const word = /[\w$]+/y
    word.lastIndex = at
    const match = word.exec(text)?.[0] ?? text.charAt(at)
    for (let index = 0; index < match.length; index++) out[at + index] = match.charAt(index)
    if (match.trim() !== '') valueBefore = /[\w$)\]}]$/.test(match) && !KEYWORD.test(match)
    at += match.length
  }
  return out.join('')
}

const KEYWORD = /^(return|typeof|case|in|of|void|delete|do|else|throw|new|await|yield)$/

/** One character a code unit, so that places stay the same. */
function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ')
}

/** Where the comment, string, template or regular expression that begins at `at` ends; null where none does. */
function skipped(text: string, at: number, valueBefore: boolean): number | null {
  const char = text.charAt(at)
  if (char === '"' || char === "'") return quotedEnd(text, at, char)
  if (char === '`') return templateEnd(text, at)
  if (char !== '/') return null
  const next = text.charAt(at + 1)
  if (next === '/') return endOr(text, text.indexOf('\n', at))
  if (next === '*') return endOr(text, text.indexOf('*/', at + 2) + 2)
  return valueBefore ? null : regexEnd(text, at)
}

function endOr(text: string, end: number): number {
  return end < 2 ? text.length : end
}

function quotedEnd(text: string, at: number, quote: string): number {
  let i = at + 1
  while (i < text.length && text.charAt(i) !== quote && text.charAt(i) !== '\n')
    i += text.charAt(i) === '\\' ? 2 : 1
  return i + 1
}

function templateEnd(text: string, at: number): number {
  let i = at + 1
  while (i < text.length && text.charAt(i) !== '`') {
    if (text.charAt(i) === '\\') i += 2
    else if (text.startsWith('${', i)) i = expressionEnd(text, i + 2)
    else i++
  }
  return i + 1
}

function expressionEnd(text: string, at: number): number {
  let depth = 1
  let i = at
  while (i < text.length && depth > 0) {
    const end = skipped(text, i, true)
    if (end !== null) {
      i = end
      continue
    }
    if (text.charAt(i) === '{') depth++
    if (text.charAt(i) === '}') depth--
    i++
  }
  return i
}

function regexEnd(text: string, at: number): number | null {
  let inClass = false
  for (let i = at + 1; i < text.length; i++) {
    const char = text.charAt(i)
    if (char === '\n') return null
    if (char === '\\') i++
    else if (char === '[') inClass = true
    else if (char === ']') inClass = false
    else if (char === '/' && !inClass) return i + 1
  }
  return null
}

const STATIC = /^[\t ]*(?:import|export)\b([^'"();=]*?)\bfrom\s*['"]/gm
const BARE = /^[\t ]*import\s*['"]/gm
const DYNAMIC = /\bimport\s*\(\s*['"`]/g

/** What a file imports and re-exports, in no particular order. */
export function importsOf(text: string): Import[] {
  const masked = maskSource(text)
  const found: Import[] = []
  const add = (match: RegExpExecArray, kind: Import['kind']): void => {
    const from = match.index + match[0].length
    const quote = text.charAt(from - 1)
    const line = text.slice(0, from).split('\n').length
    found.push({ specifier: text.slice(from, text.indexOf(quote, from)), kind, line })
  }
  for (const match of masked.matchAll(STATIC))
    add(match, /^\s*type\s+[{*\w]/.test(match[1] ?? '') ? 'type' : 'value')
  for (const match of masked.matchAll(BARE)) add(match, 'value')
  for (const match of masked.matchAll(DYNAMIC)) add(match, 'dynamic')
  return found
}
