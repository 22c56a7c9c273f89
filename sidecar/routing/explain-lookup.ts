import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { MatchSpec, PathMatch, ValueMatch, ValueTest } from './match-spec.ts'
import { methodAsked } from './match.ts'
import { type Lookup, RouteTable } from './route-table.ts'

/** What one route says to a request. */
export interface RouteExplanation {
  readonly name: string
  /** `chosen`: it takes the request; `matches`: it would, but another ranks before it; `no`: it does not match. */
  readonly outcome: 'chosen' | 'matches' | 'no'
  /** In words, for people. */
  readonly why: string
}

/** What a lookup came to, and what each route says to it. */
export interface LookupExplanation<T> {
  readonly result: Lookup<T>
  /** In the order written. */
  readonly routes: readonly RouteExplanation[]
  /** How many routes were left out. */
  readonly omitted: number
}

/**
 * Says for each route why it takes a request or not. Each part of a route is asked by a table that holds this part
 * alone, so the words cannot differ from what a lookup does.
 *
 * @param limit how many routes to explain; the chosen one is always among them
 */
export function explainLookup<T>(
  table: RouteTable<T>,
  request: CanonicalRequest,
  headers: HeaderList,
  limit = 1000,
): LookupExplanation<T> {
  const result = table.lookup(request, headers)
  const chosen = result.kind === 'found' ? result.name : null
  const routes: RouteExplanation[] = []
  for (const { name, spec } of table.entries) {
    if (name === chosen) routes.push({ name, outcome: 'chosen', why: 'the most specific that matches' })
    else if (routes.length < limit) {
      const missing = whyNot(spec, request, headers)
      if (missing !== null) routes.push({ name, outcome: 'no', why: missing })
      else routes.push({ name, outcome: 'matches', why: behind(result) })
    }
  }
  return { result, routes, omitted: table.entries.length - routes.length }
}

function behind<T>(result: Lookup<T>): string {
  if (result.kind === 'found') return `${result.name} is more specific`
  return `a more specific path does not have the method; it has ${result.kind === 'method' ? result.allow : 'none'}`
}

const ANYTHING: MatchSpec = {
  hosts: [],
  paths: [{ kind: 'prefix', path: '' }],
  methods: [],
  headers: [],
  query: [],
  priority: 0,
}

/** The first kind of condition that the request does not meet, in words, or null where it meets all. */
function whyNot(spec: MatchSpec, request: CanonicalRequest, headers: HeaderList): string | null {
  const meets = (part: Partial<MatchSpec>): boolean =>
    new RouteTable([{ name: '', spec: { ...ANYTHING, ...part }, value: null }]).lookup(request, headers)
      .kind === 'found'
  if (!meets({ hosts: spec.hosts }))
    return `host ${request.host === '' ? '(none)' : request.host} is not ${spec.hosts.join(' or ')}`
  if (!meets({ paths: spec.paths }))
    return `path ${request.path} is not ${spec.paths.map(pathText).join(' or ')}`
  if (!meets({ methods: spec.methods }))
    return `method ${methodAsked(request.method, headers)} is not ${spec.methods.join(' or ')}`
  for (const header of spec.headers)
    if (!meets({ headers: [header] })) return `header ${header.name} is not ${testsText(header)}`
  for (const parameter of spec.query)
    if (!meets({ query: [parameter] }))
      return `query parameter ${parameter.name} is not ${testsText(parameter)}`
  return null
}

function pathText(path: PathMatch): string {
  switch (path.kind) {
    case 'exact':
      return `exactly ${path.path}`
    case 'prefix':
      return `${path.path === '' ? '/' : path.path} or below`
    case 'template':
      return path.below ? `${path.path}/**` : path.path
    case 'regex':
      return `the regex ${path.regex}`
  }
}

function testsText(match: ValueMatch): string {
  return match.tests.map(testText).join(' or ')
}

function testText(test: ValueTest): string {
  switch (test.kind) {
    case 'exact':
      return JSON.stringify(test.value)
    case 'prefix':
      return `text that begins with ${JSON.stringify(test.value)}`
    case 'regex':
      return `text of the regex ${test.regex}`
    case 'present':
      return 'there'
  }
}
