import { RE2JS } from 're2js'
import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import { fromWire, hasHeader, headerValue, type HeaderList, toWire } from '../exchange/headers.ts'
import { decodeQuery } from '../exchange/query.ts'
import type { MatchSpec, ValueMatch, ValueTest } from './match-spec.ts'

/** A header or query condition, compiled. A field or parameter that stands several times holds if any value does. */
export interface Condition {
  holds(request: CanonicalRequest, headers: HeaderList): boolean
}

/** One value against one test. */
type Test = (value: string) => boolean

/** Those of the many routes that have none. */
export const NO_CONDITIONS: readonly Condition[] = []

/** The conditions of a route; all of them have to hold. */
export function compileConditions(spec: MatchSpec): readonly Condition[] {
  if (spec.headers.length + spec.query.length === 0) return NO_CONDITIONS
  return [
    ...spec.headers.map(match => new HeaderCondition(match)),
    ...spec.query.map(match => new QueryCondition(match)),
  ]
}

/** Sets by what they were made of: thousands of routes share a few, which stay in the processor's cache. */
const methodSets = new Map<string, ReadonlySet<string>>()
const MOST_SETS = 256

/**
 * The methods of a route, or null for any. `GET` includes `HEAD` (RFC 9110 section 9.3.2).
 */
export function compileMethods(methods: readonly string[]): ReadonlySet<string> | null {
  if (methods.length === 0) return null
  const key = methods.join(' ')
  let set = methodSets.get(key)
  if (set !== undefined) return set
  set = new Set(methods.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method])))
  // Lists of known methods are few; what is more than that is not kept.
  if (methodSets.size < MOST_SETS) methodSets.set(key, set)
  return set
}

/** The method that a request is matched as: that of a CORS preflight is the one it asks for (Fetch, section 3.2.2). */
export function methodAsked(method: string, headers: HeaderList): string {
  if (method !== 'OPTIONS' || !hasHeader(headers, 'origin')) return method
  return headerValue(headers, 'access-control-request-method') ?? method
}

/** A linear-time regex over the whole text. */
export function compileRegex(regex: string): RE2JS {
  return RE2JS.compile(regex)
}

class HeaderCondition implements Condition {
  readonly #name: string
  readonly #tests: readonly Test[]
  constructor(match: ValueMatch) {
    this.#name = match.name
    this.#tests = match.tests.map(test => compileTest(test, true))
  }
  holds(_request: CanonicalRequest, headers: HeaderList): boolean {
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] !== this.#name) continue
      const value = headers[i + 1] as string
      for (const test of this.#tests) if (test(value)) return true
    }
    return false
  }
}

class QueryCondition implements Condition {
  readonly #name: string
  readonly #tests: readonly Test[]
  constructor(match: ValueMatch) {
    this.#name = match.name
    this.#tests = match.tests.map(test => compileTest(test, false))
  }
  holds(request: CanonicalRequest): boolean {
    const query = request.query
    for (let from = 0; from < query.length;) {
      let to = query.indexOf('&', from)
      if (to === -1) to = query.length
      const equals = query.indexOf('=', from)
      const nameEnd = equals === -1 || equals > to ? to : equals
      if (decodeQuery(query.slice(from, nameEnd)) === this.#name) {
        const value = decodeQuery(query.slice(nameEnd + 1, to))
        for (const test of this.#tests) if (test(value)) return true
      }
      from = to + 1
    }
    return false
  }
}

/** @param wire whether the values are byte strings, as header values are; else they are text */
function compileTest(test: ValueTest, wire: boolean): Test {
  switch (test.kind) {
    case 'present':
      return () => true
    case 'regex': {
      const regex = compileRegex(test.regex)
      return wire ? value => regex.testExact(fromWire(value)) : value => regex.testExact(value)
    }
    case 'exact':
    case 'prefix': {
      const wanted = wire ? toWire(test.value) : test.value
      if (wanted === null) return () => false
      return test.kind === 'exact' ? value => value === wanted : value => value.startsWith(wanted)
    }
  }
}
