import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import type { HeaderList } from '../exchange/headers.ts'
import { Candidate, type PathParams, type RouteEntry, Tier } from './candidate.ts'
import { parseHost } from './host-name.ts'
import { methodAsked } from './match.ts'
import { type PathShape, pathShape } from './path-shape.ts'

/** What a lookup answers. Shared and never changed: a `found` without parameters is made once per route. */
export type Lookup<T> =
  | { readonly kind: 'found'; readonly name: string; readonly value: T; readonly params: PathParams | null }
  /** The path is known, the method is not: 405 with this `Allow`. */
  | { readonly kind: 'method'; readonly allow: string }
  | { readonly kind: 'none' }

/**
 * Which route takes a request. The patterns (host, path) that match it are tried from the most specific on:
 *
 * - host: exact, then the longest wildcard, then none; of two alike, one that names the port goes first;
 * - path: segment by segment from the left, literal before `{x}` before the end of a prefix; then the whole path before
 *   a prefix. A regex stands just ahead of the prefix that its leading literal segments make.
 *
 * At one pattern stand the routes whose host and path rank alike. If none of them has its header and query conditions
 * met, the search goes on at the next pattern. Else the pattern is chosen: of the routes with conditions met and with
 * the method, the first by methods given, number of conditions, priority takes the request. If no route of the pattern
 * has the method, with conditions met or not, it is refused (405) and no wider path is tried. What is left (only routes
 * with conditions unmet have the method) goes on as for missing conditions.
 *
 * Each host has a trie of its own, so that the cost depends on the segments of a path and not on the number of routes.
 */
export class RouteTable<T> {
  readonly #entries: RouteEntry<T>[] = []
  readonly #any: Node<T> = new Node()
  readonly #exact = new Map<string, Node<T>>()
  /** By what follows the `*`, so with a leading dot. */
  readonly #wildcard = new Map<string, Node<T>>()
  #ports = false
  /** The tries of hosts seen lately, most specific first. Emptied when full, as clients choose the hosts. */
  readonly #tries = new Map<string, readonly Node<T>[]>()
  readonly #anyOnly: readonly Node<T>[] = [this.#any]

  constructor(routes: Iterable<RouteEntry<T>> = []) {
    for (const route of routes) this.add(route)
  }

  /** The routes in the order given. */
  get entries(): readonly RouteEntry<T>[] {
    return this.#entries
  }

  /**
   * Adds a route, complete at once: thousands can be added in slices. Never while the table serves. Throws where a
   * regex does not compile, which the loader has checked.
   */
  add(route: RouteEntry<T>): void {
    this.#entries.push(route)
    this.#tries.clear()
    const roots = route.spec.hosts.length === 0 ? [this.#any] : route.spec.hosts.map(host => this.#root(host))
    for (const path of route.spec.paths) {
      const shape = pathShape(path)
      const candidate = new Candidate(route, shape)
      for (const root of roots) root.insert(candidate, shape)
    }
  }

  /**
   * Finds the route of a request. Allocates only for parameters and a refused method.
   *
   * @param headers as received
   */
  lookup(request: CanonicalRequest, headers: HeaderList): Lookup<T> {
    const method = methodAsked(request.method, headers)
    for (const root of this.#triesOf(request)) {
      const hit =
        request.path === '*'
          ? (root.prefix?.pick(method, request, headers) ?? null)
          : search(root, 0, method, request, headers)
      if (hit === null) continue
      if (hit instanceof Tier) return { kind: 'method', allow: hit.allow(request.path) }
      if (!hit.hasParams) return hit.found
      const { name, value } = hit.entry
      return { kind: 'found', name, value, params: hit.params(request.path) }
    }
    return NONE
  }

  /** Whether some request for this host could find a route: for a CONNECT, which names nothing else. */
  knowsHost(host: string, port: number): boolean {
    const request: CanonicalRequest = {
      method: 'GET',
      scheme: 'http',
      host,
      port,
      path: '/',
      query: '',
      hasQuery: false,
    }
    return this.#triesOf(request).some(root => root !== this.#any || this.#anyUsed)
  }

  /** Whether a route asks for a host at all. */
  get namesHosts(): boolean {
    return this.#exact.size > 0 || this.#wildcard.size > 0
  }

  /** Whether a route takes every host. */
  get #anyUsed(): boolean {
    return this.#entries.some(entry => entry.spec.hosts.length === 0)
  }

  #root(pattern: string): Node<T> {
    const wildcard = pattern.startsWith('*')
    const roots = wildcard ? this.#wildcard : this.#exact
    const key = wildcard ? pattern.slice(1) : canonicalHost(pattern)
    if (/[^:]:\d+$|\]:\d+$/.test(key)) this.#ports = true
    let root = roots.get(key)
    if (root === undefined) roots.set(key, (root = new Node()))
    return root
  }

  #triesOf(request: CanonicalRequest): readonly Node<T>[] {
    if (this.#exact.size === 0 && this.#wildcard.size === 0) return this.#anyOnly
    let port = ''
    if (this.#ports) port = `:${request.port || (request.scheme === 'https' ? 443 : 80)}`
    const key = request.host + port
    const known = this.#tries.get(key)
    if (known !== undefined) return known
    const roots = [this.#exact.get(key), port === '' ? undefined : this.#exact.get(request.host)]
    for (let dot = request.host.indexOf('.', 1); dot !== -1; dot = request.host.indexOf('.', dot + 1)) {
      const suffix = request.host.slice(dot)
      if (port !== '') roots.push(this.#wildcard.get(suffix + port))
      roots.push(this.#wildcard.get(suffix))
    }
    roots.push(this.#any)
    const tries = roots.filter(root => root !== undefined)
    if (this.#tries.size >= 1024) this.#tries.clear()
    this.#tries.set(key, tries)
    return tries
  }
}

const NONE = { kind: 'none' } as const

/** An IPv6 address has many spellings; names arrive in one already. */
function canonicalHost(pattern: string): string {
  if (!pattern.startsWith('[')) return pattern
  const parsed = parseHost(pattern)
  if (parsed === null) return pattern
  return parsed.port === 0 ? parsed.host : `${parsed.host}:${parsed.port}`
}

class Node<T> {
  literals: Map<string, Node<T>> | null = null
  param: Node<T> | null = null
  whole: Tier<T> | null = null
  wholeSlash: Tier<T> | null = null
  regex: Tier<T> | null = null
  prefix: Tier<T> | null = null

  insert(candidate: Candidate<T>, shape: PathShape, depth = 0): void {
    const segment = shape.segments[depth]
    if (segment !== undefined) this.#child(segment).insert(candidate, shape, depth + 1)
    else for (const place of shape.places) this.#put(place, candidate)
  }

  #put(place: PathShape['places'][number], candidate: Candidate<T>): void {
    const tier = this[place]
    if (tier === null) this[place] = new Tier(candidate)
    else tier.insert(candidate)
  }

  #child(segment: string | null): Node<T> {
    if (segment === null) return (this.param ??= new Node())
    this.literals ??= new Map()
    let child = this.literals.get(segment)
    if (child === undefined) this.literals.set(segment, (child = new Node()))
    return child
  }
}

/**
 * Depth first in the order of precedence; the first tier that does not pass the request on decides.
 *
 * @param at where the rest of the path begins: at a slash, or at the end
 */
function search<T>(
  node: Node<T>,
  at: number,
  method: string,
  request: CanonicalRequest,
  headers: HeaderList,
): Candidate<T> | Tier<T> | null {
  const path = request.path
  let hit: Candidate<T> | Tier<T> | null = null
  if (at === path.length) {
    if (node.whole !== null) hit = node.whole.pick(method, request, headers)
  } else if (at === path.length - 1) {
    if (node.wholeSlash !== null) hit = node.wholeSlash.pick(method, request, headers)
  } else if (node.literals !== null || node.param !== null) {
    let end = path.indexOf('/', at + 1)
    if (end === -1) end = path.length
    if (node.literals !== null) {
      const child = node.literals.get(path.slice(at + 1, end))
      if (child !== undefined) hit = search(child, end, method, request, headers)
    }
    if (hit === null && node.param !== null) hit = search(node.param, end, method, request, headers)
  }
  if (hit === null && node.regex !== null) hit = node.regex.pick(method, request, headers)
  if (hit === null && node.prefix !== null) hit = node.prefix.pick(method, request, headers)
  return hit
}
