import type { MatchSpec, PathMatch, ValueMatch } from '../../routing/match-spec.ts'
import type { ResolvedListener, ResolvedRoute } from '../resolved.ts'
import type { ConfigPath, Resolution } from './resolution.ts'

/**
 * Two routes of one listener that can match one request and rank alike are an error. Host and path are compared by what
 * they rank as, so only routes that share both are looked at in pairs.
 */
export function checkCollisions(listener: ResolvedListener, path: ConfigPath, resolution: Resolution): void {
  const groups = new Map<string, { readonly route: ResolvedRoute; readonly index: number }[]>()
  const reported = new Set<string>()
  for (const [index, route] of listener.routes.entries()) {
    for (const key of rankKeys(route.match)) {
      const group = groups.get(key)
      if (group === undefined) {
        groups.set(key, [{ route, index }])
        continue
      }
      for (const other of group) {
        if (other.index === index || reported.has(`${other.index} ${index}`)) continue
        if (!meet(other.route.match, route.match)) continue
        reported.add(`${other.index} ${index}`)
        report(other.route, route, [...path, 'routes', index], resolution)
        break
      }
      group.push({ route, index })
    }
  }
}

function report(first: ResolvedRoute, second: ResolvedRoute, path: ConfigPath, resolution: Resolution): void {
  const what = describe(second.match)
  resolution.fault(
    [...path, 'match'],
    `the routes \`${first.name}\` (${first.at.file}:${first.at.line}) and \`${second.name}\` both match ${what} and rank alike`,
    'make one more specific, or give one a `priority`',
    'key',
  )
}

function describe(match: MatchSpec): string {
  const path = match.paths.map(pathShown).join(', ')
  // A route of a TCP listener has no path.
  if (match.paths.length === 1 && path === '/' && match.hosts.length > 0) return match.hosts.join(', ')
  return match.hosts.length === 0 ? path : `${match.hosts.join(', ')} ${path}`
}

function pathShown(path: PathMatch): string {
  switch (path.kind) {
    case 'regex':
      return path.regex
    case 'template':
      return path.below ? `${path.path}/**` : path.path
    default:
      return path.path === '' ? '/' : path.path
  }
}

/** One key for each pair of host and path, with all that decides the rank: two routes rank alike where they share a key. */
function* rankKeys(match: MatchSpec): Generator<string> {
  const methods = match.methods.length > 0 ? 1 : 0
  const conditions = match.headers.length + match.query.length
  for (const host of match.hosts.length === 0 ? [''] : match.hosts) {
    for (const path of match.paths)
      yield JSON.stringify([host, pathRank(path), methods, conditions, match.priority])
  }
}

function pathRank(path: PathMatch): string {
  switch (path.kind) {
    case 'template':
      return `${path.below ? 'below' : 'whole'} ${path.path.replace(/\{[^}]*\}/g, '{}')}`
    case 'regex':
      return `regex ${leadingSegments(path.regex)}`
    default:
      return `${path.kind} ${path.path}`
  }
}

/** The literal segments that a regular expression begins with: it ranks just ahead of the prefix they make. */
function leadingSegments(regex: string): string {
  const literal = literalStart(regex)
  return literal.slice(0, Math.max(0, literal.lastIndexOf('/')))
}

function literalStart(regex: string): string {
  if (regex.includes('|')) return ''
  const start = /^\^?((?:[A-Za-z0-9/_~%-]|\\[./_-])*)([?*+{]?)/.exec(regex)
  const literal = (start?.[1] ?? '').replaceAll('\\', '')
  // A repeated character may be absent.
  return (start?.[2] ?? '') === '' || start?.[2] === '+' ? literal : literal.slice(0, -1)
}

/** Whether one request can satisfy both, host and path being alike. */
function meet(a: MatchSpec, b: MatchSpec): boolean {
  if (
    a.methods.length > 0 &&
    b.methods.length > 0 &&
    !a.methods.some(method => sharesMethod(method, b.methods))
  )
    return false
  return !excludes(a.headers, b.headers) && !excludes(a.query, b.query) && regexesMeet(a.paths, b.paths)
}

function sharesMethod(method: string, others: readonly string[]): boolean {
  if (others.includes(method)) return true
  return (method === 'HEAD' && others.includes('GET')) || (method === 'GET' && others.includes('HEAD'))
}

/** Whether two sets of conditions ask one name for texts that differ. */
function excludes(a: readonly ValueMatch[], b: readonly ValueMatch[]): boolean {
  return a.some(one => {
    const other = b.find(condition => condition.name === one.name)
    if (other === undefined) return false
    const texts = exactTexts(one)
    const others = exactTexts(other)
    return texts !== null && others !== null && !texts.some(text => others.includes(text))
  })
}

function exactTexts(condition: ValueMatch): string[] | null {
  const texts: string[] = []
  for (const test of condition.tests) {
    if (test.kind !== 'exact') return null
    texts.push(test.value)
  }
  return texts
}

/**
 * Two regular expressions are taken to meet unless their literal beginnings differ: more cannot be told in general, and
 * a `priority` says which is meant.
 */
function regexesMeet(a: readonly PathMatch[], b: readonly PathMatch[]): boolean {
  if (!a.every(isRegex) || !b.every(isRegex)) return true
  return a.some(one => b.some(other => startsMeet(one.regex, other.regex)))
}

function isRegex(path: PathMatch): path is Extract<PathMatch, { kind: 'regex' }> {
  return path.kind === 'regex'
}

function startsMeet(a: string, b: string): boolean {
  const one = literalStart(a)
  const other = literalStart(b)
  return one.startsWith(other) || other.startsWith(one)
}
