import type { YAMLParseError } from 'yaml'
import type { ConfigError } from '../config-error.ts'
import { faultAt } from './fault.ts'
import type { AliasNode } from './nodes.ts'
import type { SourceFile } from './origin.ts'
import { didYouMean } from './suggestion.ts'

/**
 * What the YAML reader found, in words that say what to write instead where that is known. One mistake makes the reader
 * stumble over what follows, so of what is not known only the first is told.
 */
export function syntaxFaults(file: SourceFile, problems: readonly YAMLParseError[]): ConfigError[] {
  const known = new Map<number, ConfigError>()
  for (const problem of problems) {
    const fault = knownFault(file, problem)
    if (fault !== null && !known.has(fault.line)) known.set(fault.line, fault)
  }
  if (known.size > 0) return [...known.values()]
  const first = problems[0]
  if (first === undefined) return []
  // The reader calls itself for each level, and says so when it cannot any more: where that is depends on the stack.
  if (first.message.includes('call stack')) {
    return [{ file: file.name, line: 0, column: 0, message: 'the document is nested too deeply to be read' }]
  }
  return [faultAt({ file, offset: first.pos[0] }, firstSentence(first.message))]
}

function knownFault(file: SourceFile, problem: YAMLParseError): ConfigError | null {
  const offset = problem.pos[0]
  const place = file.place(offset)
  const line = file.line(place.line)
  const missing = missingQuote(line)
  if (missing !== null) {
    const at = offset - (place.column - 1) + missing.column
    return faultAt({ file, offset: at }, 'a value with { } [ ] or , in it is quoted inside { } and [ ]', {
      suggestion: `write: ${missing.fixed}`,
    })
  }
  if (problem.code === 'MULTIPLE_DOCS') {
    return faultAt({ file, offset }, 'a file holds one document; this begins another', {
      suggestion: 'put it into a file of its own',
    })
  }
  if (problem.code === 'TAG_RESOLVE_FAILED')
    return faultAt({ file, offset }, TAG_MESSAGE, { suggestion: quoteRest(line, place.column) })
  if (/^\s*\S+:\s+\[:/.test(line)) {
    const fixed = line.replace(/:\s+(\[.*)$/, (_, value: string) => `: "${value.trim()}"`).trim()
    return faultAt({ file, offset }, 'a value that begins with [ is quoted', {
      suggestion: `write: ${fixed}`,
    })
  }
  if (/^\s*\t/.test(line)) {
    return faultAt({ file, offset }, 'YAML is indented with spaces, not with tabs')
  }
  return null
}

const TAG_MESSAGE = 'tags (`!name`) are not used here; a value that begins with ! is quoted'

/** A tag on the value that begins at `end`: it would replace the value by something else, or by nothing. */
export function tagFault(file: SourceFile, end: number): ConfigError {
  // The tag stands before the value, so it is looked for backwards from there.
  let bang = file.text.lastIndexOf('!', Math.max(0, end - 1))
  while (bang > 0 && file.text[bang - 1] === '!') bang--
  const own = file.text.lastIndexOf('\n', end) < bang || file.text.slice(bang, end).trim().length > 0
  const offset = file.text[end] === '!' || bang === -1 || !own ? end : bang
  const place = file.place(offset)
  return faultAt({ file, offset }, TAG_MESSAGE, {
    suggestion: quoteRest(file.line(place.line), place.column),
  })
}

function quoteRest(line: string, column: number): string | undefined {
  const rest = line
    .slice(column - 1)
    .replace(/\s+#.*$/, '')
    .trim()
  if (!rest.startsWith('!') || rest.length > 100) return undefined
  const quote = rest.includes('"') ? "'" : '"'
  return rest.includes(quote)
    ? undefined
    : `write: ${line.slice(0, column - 1).trimStart()}${quote}${rest}${quote}`
}

/** An alias that names nothing, which is mostly a `*` that should be quoted. */
export function aliasFault(
  file: SourceFile,
  node: AliasNode,
  anchors: Iterable<string>,
  open: boolean,
): ConfigError {
  const { offset, name } = node
  if (open) return faultAt({ file, offset }, `the alias \`*${name}\` stands inside of what it stands for`)
  const pattern = name === '' || /^[./]/.test(name)
  const suggestion = pattern ? `a value that begins with * is quoted: "*${name}"` : didYouMean(name, anchors)
  return faultAt({ file, offset }, `no anchor \`&${name}\` stands before this alias`, { suggestion })
}

/** A line with a flow map in which a plain value holds a brace: where the value begins, and the line with it quoted. */
function missingQuote(line: string): { column: number; fixed: string } | null {
  const open = line.search(/[{[]/)
  if (open === -1) return null
  // A plain value (not quoted, not a map or list itself) that runs into `{` or `[`, up to the next separator outside.
  const found = /([:[,]\s*)((?!["'\s{[*&!])[^"',{}[\]#]*(?:\{[^{}]*\}|\[[^[\]]*\])[^,\s}\]]*)/g
  for (const match of line.matchAll(found)) {
    const column = match.index + (match[1]?.length ?? 0)
    const value = match[2] ?? ''
    const inFlow = unclosed(line.slice(0, column))
    // Outside of braces a plain value may hold them; `a: [..]` after a key is a list, not a value with a bracket.
    if (!inFlow || /:\s/.test(value) || /^\s*$/.test(value)) continue
    return {
      column,
      fixed: `${line.slice(0, column)}"${value.trim()}"${line.slice(column + value.length)}`.trim(),
    }
  }
  return null
}

function unclosed(text: string): boolean {
  let depth = 0
  let quote = ''
  for (const character of text) {
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '"' || character === "'") quote = character
    else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
  }
  return depth > 0
}

function firstSentence(message: string): string {
  const text = message.split('\n')[0] ?? message
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '')
}
