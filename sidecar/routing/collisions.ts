import type { MatchSpec, ValueMatch, ValueTest } from './match-spec.ts'
import { compileMethods } from './match.ts'
import { conditionCount } from './candidate.ts'
import { hasTopLevelAlternative, pathShape } from './path-shape.ts'

/** Two routes that can match one request and rank alike, as indexes into what was given, the smaller first. */
export interface Collision {
  readonly first: number
  readonly second: number
  /** The host pattern they share; empty: every host. */
  readonly host: string
  /** The path pattern of the first. */
  readonly path: string
}

/** A route at one pattern. */
interface Claim {
  readonly index: number
  readonly spec: MatchSpec
  readonly host: string
  readonly path: string
  /** RE2 syntax, or empty. */
  readonly regex: string
}

/**
 * The pairs of routes that can match one request and rank alike, which nobody could tell apart. Two that differ in
 * methods, in the exact values of a condition, or in the text that a regex begins or ends with, cannot match one
 * request. Whether other regexes overlap is not decided: they count as if they did, and `priority` settles it.
 *
 * Routes that rank alike are found by key, so the cost grows with the number of routes and not with its square.
 *
 * @param limit how many pairs to report at most
 */
export function collisions(specs: readonly MatchSpec[], limit = 100): Collision[] {
  const claims = new Map<string, Claim[]>()
  specs.forEach((spec, index) => {
    const rank = [Number(spec.methods.length > 0), conditionCount(spec), spec.priority]
    for (const host of spec.hosts.length === 0 ? [''] : spec.hosts)
      for (const path of spec.paths) {
        const shape = pathShape(path)
        const claim = {
          index,
          spec,
          host,
          path: path.kind === 'regex' ? path.regex : path.path,
          regex: shape.regex,
        }
        for (const place of shape.places)
          for (const method of compileMethods(spec.methods) ?? ['']) {
            // Structured, so that no two different ones make one text.
            const key = JSON.stringify([host, shape.segments, place, method, rank])
            const others = claims.get(key)
            if (others === undefined) claims.set(key, [claim])
            else others.push(claim)
          }
      }
  })
  const found = new Map<string, Collision>()
  for (const alike of claims.values()) if (alike.length > 1) pairs(alike, 0, limit, found)
  return [...found.values()].toSorted((a, b) => a.first - b.first || a.second - b.second)
}

/** Compares claims that rank alike, first split by the exact values of one condition where all have the same one. */
function pairs(
  alike: readonly Claim[],
  condition: number,
  limit: number,
  found: Map<string, Collision>,
): void {
  if (alike.length < 2 || found.size >= limit) return
  const conditions = (alike[0] as Claim).spec.headers.concat((alike[0] as Claim).spec.query)
  const split = conditions[condition]
  if (split !== undefined) {
    const byValue = splitByValue(alike, split, condition < (alike[0] as Claim).spec.headers.length)
    if (byValue !== null) for (const same of byValue) pairs(same, condition + 1, limit, found)
    else pairs(alike, condition + 1, limit, found)
    return
  }
  for (let i = 0; i < alike.length; i++)
    for (let j = i + 1; j < alike.length; j++) {
      const a = alike[i] as Claim
      const b = alike[j] as Claim
      if (a.index === b.index || !canBoth(a, b)) continue
      const first = a.index < b.index ? a : b
      const second = a.index < b.index ? b : a
      const key = `${first.index} ${second.index}`
      if (!found.has(key))
        found.set(key, { first: first.index, second: second.index, host: first.host, path: first.path })
      if (found.size >= limit) return
    }
}

/** Groups by each exact value that the condition names; null unless every claim has it and with exact values only. */
function splitByValue(alike: readonly Claim[], like: ValueMatch, header: boolean): Iterable<Claim[]> | null {
  const groups = new Map<string, Claim[]>()
  for (const claim of alike) {
    const all = header ? claim.spec.headers : claim.spec.query
    const same = all.find(match => match.name === like.name)
    if (same === undefined) return null
    for (const test of same.tests) {
      if (test.kind !== 'exact') return null
      const group = groups.get(test.value)
      if (group === undefined) groups.set(test.value, [claim])
      else group.push(claim)
    }
  }
  return groups.values()
}

function canBoth(a: Claim, b: Claim): boolean {
  return (
    conditionsMeet(a.spec.headers, b.spec.headers) &&
    conditionsMeet(a.spec.query, b.spec.query) &&
    (a.regex === b.regex || regexesMeet(a.regex, b.regex))
  )
}

function conditionsMeet(mine: readonly ValueMatch[], theirs: readonly ValueMatch[]): boolean {
  return mine.every(match => {
    const same = theirs.find(other => other.name === match.name)
    return same === undefined || match.tests.some(test => same.tests.some(other => testsMeet(test, other)))
  })
}

function testsMeet(a: ValueTest, b: ValueTest): boolean {
  if (a.kind === 'exact' && b.kind === 'exact') return a.value === b.value
  if (a.kind === 'exact' && b.kind === 'prefix') return a.value.startsWith(b.value)
  if (a.kind === 'prefix' && b.kind === 'exact') return b.value.startsWith(a.value)
  if (a.kind === 'prefix' && b.kind === 'prefix')
    return a.value.startsWith(b.value) || b.value.startsWith(a.value)
  return true
}

/** False where the two end in different text, e.g. `.png` and `.jpg`. */
function regexesMeet(a: string, b: string): boolean {
  const mine = literalEnd(a)
  const theirs = literalEnd(b)
  return mine.endsWith(theirs) || theirs.endsWith(mine)
}

/** The plain text that every match of the regex ends with; empty where that cannot be said for sure. */
function literalEnd(regex: string): string {
  if (hasTopLevelAlternative(regex) || /\(\?[A-Za-z]*i/.test(regex)) return ''
  const whole = regex.endsWith('$') ? regex.slice(0, -1) : regex
  const text = /(?:[\w!%&',/:=@~-]|\\[^A-Za-z0-9\\])*$/.exec(whole)?.[0] ?? ''
  // Behind a backslash the first letter is an escape and no text. Brackets that opened before have closed before.
  return whole.slice(0, whole.length - text.length).endsWith('\\') ? '' : text.replaceAll('\\', '')
}
