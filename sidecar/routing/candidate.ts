import type { RE2JS } from 're2js'
import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { MatchSpec } from './match-spec.ts'
import { compileConditions, compileMethods, compileRegex, type Condition, NO_CONDITIONS } from './match.ts'
import type { PathShape } from './path-shape.ts'

/** A route as the table was given it. */
export interface RouteEntry<T> {
  readonly name: string
  readonly spec: MatchSpec
  readonly value: T
}

/** The path parameters of a request, percent-decoded. Without a prototype: a name is never taken for a method. */
export type PathParams = Readonly<Record<string, string>>

/** One route at one path pattern. */
export class Candidate<T> {
  readonly entry: RouteEntry<T>
  readonly methods: ReadonlySet<string> | null
  readonly hasParams: boolean
  /** The answer of a lookup that needs no parameters, made once. */
  readonly found: { readonly kind: 'found'; readonly name: string; readonly value: T; readonly params: null }
  readonly #conditions: readonly Condition[]
  readonly #regex: RE2JS | null
  readonly #groups: readonly string[]
  readonly #params: PathShape['params']

  constructor(entry: RouteEntry<T>, shape: PathShape) {
    this.entry = entry
    this.methods = compileMethods(entry.spec.methods)
    this.#conditions = compileConditions(entry.spec)
    this.#regex = shape.regex === '' ? null : compileRegex(shape.regex)
    this.#groups = this.#regex === null ? [] : Object.keys(this.#regex.namedGroups())
    this.#params = shape.params
    this.hasParams = this.#groups.length + this.#params.length > 0
    this.found = { kind: 'found', name: entry.name, value: entry.value, params: null }
  }

  /** Whether the path is one of the pattern; the trie has compared all but a regex. */
  matchesPath(path: string): boolean {
    return this.#regex === null || this.#regex.testExact(path)
  }

  /** Whether it takes a request whose host and place in the trie are its own. */
  takes(method: string, request: CanonicalRequest, headers: HeaderList): boolean {
    return (
      (this.methods === null || this.methods.has(method)) &&
      (this.#regex === null || this.#regex.testExact(request.path)) &&
      (this.#conditions === NO_CONDITIONS || this.holds(request, headers))
    )
  }

  holds(request: CanonicalRequest, headers: HeaderList): boolean {
    for (const condition of this.#conditions) if (!condition.holds(request, headers)) return false
    return true
  }

  /** The parameters of a path that this pattern matches. */
  params(path: string): PathParams {
    // `__proto__` in a literal sets the prototype and makes no property.
    const params: Record<string, string> = { __proto__: null } as unknown as Record<string, string>
    let at = 0
    let index = 0
    for (const [name, segment] of this.#params) {
      for (; index < segment; index++) at = path.indexOf('/', at + 1)
      const end = path.indexOf('/', at + 1)
      params[name] = decodeSegment(end === -1 ? path.slice(at + 1) : path.slice(at + 1, end))
    }
    if (this.#regex !== null && this.#groups.length > 0) {
      const matcher = this.#regex.matcher(path)
      if (matcher.matches())
        for (const name of this.#groups) {
          const value = matcher.group(name)
          if (typeof value === 'string') params[name] = decodeSegment(value)
        }
    }
    return params
  }

  /** Which goes first at one place: methods given, then the number of conditions, then priority. Negative: this one. */
  compare(other: Candidate<T>): number {
    const mine = this.entry.spec
    const theirs = other.entry.spec
    return (
      Number(theirs.methods.length > 0) - Number(mine.methods.length > 0) ||
      conditionCount(theirs) - conditionCount(mine) ||
      theirs.priority - mine.priority
    )
  }
}

/** How many header and query conditions a route has: more of them rank first. */
export function conditionCount(spec: MatchSpec): number {
  return spec.headers.length + spec.query.length
}

/**
 * The routes whose patterns end at one place of one host's trie, so that their paths rank alike: best first. `pick`
 * says what they do with a request whose host and path are theirs.
 */
export class Tier<T> {
  #candidates: Candidate<T>[] | null = null
  /** The first, which is mostly the only one: with ten thousand routes each object on the way is not in the cache. */
  #first: Candidate<T>

  constructor(first: Candidate<T>) {
    this.#first = first
  }

  /** Puts a route in its place; behind those that rank alike, so that the order written is the order tried. */
  insert(candidate: Candidate<T>): void {
    const candidates = (this.#candidates ??= [this.#first])
    let at = candidates.length
    while (at > 0 && (candidates[at - 1] as Candidate<T>).compare(candidate) > 0) at--
    candidates.splice(at, 0, candidate)
    this.#first = candidates[0] as Candidate<T>
  }

  /**
   * The route that takes the request; this tier itself where it refuses the method; null where the search goes on at
   * the next pattern, since no route here has its conditions met.
   */
  pick(method: string, request: CanonicalRequest, headers: HeaderList): Candidate<T> | Tier<T> | null {
    const first = this.#first
    if (first.takes(method, request, headers)) return first
    let open = false
    let known = false
    for (const candidate of this.#all) {
      if (!candidate.matchesPath(request.path)) continue
      const has = candidate.methods === null || candidate.methods.has(method)
      if (has) known = true
      else if (open) continue
      if (!candidate.holds(request, headers)) continue
      if (has) return candidate
      open = true
    }
    return open && !known ? this : null
  }

  get #all(): readonly Candidate<T>[] {
    return this.#candidates ?? [this.#first]
  }

  /** The value of Allow (RFC 9110 section 10.2.1) for a path whose method was refused. */
  allow(path: string): string {
    const methods = new Set<string>()
    for (const candidate of this.#all)
      if (candidate.methods !== null && candidate.matchesPath(path))
        for (const method of candidate.methods) methods.add(method)
    return [...methods].join(', ')
  }
}

function decodeSegment(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    // A regex group that ends inside of an escape. A whole segment of a canonical path always decodes.
    return text
  }
}
