import type { PathMatch } from './match-spec.ts'

/**
 * Where a path pattern ends in the trie. Patterns that end at one node in one place rank alike:
 * `whole` and `wholeSlash` are the path itself, without and with a final slash; `regex` and `prefix` are all below.
 */
export type Place = 'whole' | 'wholeSlash' | 'regex' | 'prefix'

/** A path pattern as the trie sees it. */
export interface PathShape {
  /** Literal text, or null for `{x}`: one segment that is not empty. */
  readonly segments: readonly (string | null)[]
  readonly places: readonly Place[]
  /** Names of the parameters with the index of their segment. */
  readonly params: readonly (readonly [name: string, segment: number])[]
  /** RE2 syntax; empty where the pattern is none. */
  readonly regex: string
}

/** Reads a path condition into its segments. */
export function pathShape(match: PathMatch): PathShape {
  if (match.kind === 'regex')
    return { segments: leadingSegments(match.regex), places: ['regex'], params: [], regex: match.regex }
  const slash = match.path.endsWith('/')
  const text = slash ? match.path.slice(0, -1) : match.path
  const written = text === '' ? [] : text.slice(1).split('/')
  if (match.kind === 'exact')
    return { segments: written, places: [slash ? 'wholeSlash' : 'whole'], params: [], regex: '' }
  if (match.kind === 'prefix') return { segments: written, places: ['prefix'], params: [], regex: '' }
  const params: [string, number][] = []
  const segments = written.map((segment, index) => {
    if (!segment.startsWith('{') || !segment.endsWith('}')) return segment
    params.push([segment.slice(1, -1), index])
    return null
  })
  return { segments, places: match.below ? ['prefix'] : ['whole', 'wholeSlash'], params, regex: '' }
}

/**
 * The segments that every match of the regex begins with, which are plain text up to a slash or to the end. None where
 * that cannot be said for sure (an alternative at the top level, a flag): such a regex stands ahead of the prefix `/`.
 */
export function leadingSegments(regex: string): string[] {
  const segments: string[] = []
  if (hasTopLevelAlternative(regex)) return segments
  let rest = regex.startsWith('^') ? regex.slice(1) : regex
  for (;;) {
    const segment = /^\/((?:[\w!%&',:=@~-]|\\[^A-Za-z0-9/\\])+)(?=$|\$$|\/(?![?*+{]))/.exec(rest)
    if (segment === null) return segments
    segments.push((segment[1] as string).replaceAll('\\', ''))
    rest = rest.slice(segment[0].length)
  }
}

/** Whether a `|` stands outside of groups and classes. Text that is quoted with `\Q` counts as if it held one. */
export function hasTopLevelAlternative(regex: string): boolean {
  let depth = 0
  let inClass = false
  for (let i = 0; i < regex.length; i++) {
    const character = regex[i]
    if (character === '\\') {
      if (regex[i + 1] === 'Q') return true
      i++
    } else if (inClass) {
      // A named class such as `[:alpha:]` ends with a bracket of its own.
      if (character === '[' && regex[i + 1] === ':') i = Math.max(i, regex.indexOf(':]', i) + 1)
      else inClass = character !== ']'
    } else if (character === '[') {
      inClass = true
      // A bracket right at the start of a class is a member of it.
      if (regex[i + 1] === '^') i++
      if (regex[i + 1] === ']') i++
    } else if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === '|' && depth === 0) return true
  }
  return false
}
