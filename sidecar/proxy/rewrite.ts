import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { fillTemplate, parseTemplate, type TemplatePart } from '../exchange/template.ts'
import { canonicalPath } from '../routing/canonical-request.ts'
import type { RewritePolicy, Role } from '../snapshot/policies.ts'

/** Path and query as they go upstream, or `bad_path`. */
export type TargetWriter = (exchange: Exchange) => string | ProxyError

/**
 * Compiles what a route makes of the request target: the prefix is taken off, or the template filled, then the
 * upstream's base path is put in front. The query stays as it was sent, and so does the target `*`.
 *
 * What comes out is in its own normal form, so that the upstream reads the path that was routed; else it is `bad_path`.
 *
 * @param basePath without a final slash; empty: none
 * @throws Error where the template is not well formed, which the loader has checked
 */
export function compileRewrite(rewrite: RewritePolicy | null, basePath: string): TargetWriter {
  const path = compilePath(rewrite)
  if (path === null && basePath === '')
    return ({ request, target }) => (request === null ? target : withQuery(request.path, request))
  return exchange => {
    const request = exchange.request
    if (request === null || request.path === '*') return exchange.target
    const rewritten = path === null ? request.path : path(exchange, request)
    return typeof rewritten === 'string' ? withQuery(basePath + rewritten, request) : rewritten
  }
}

/**
 * Compiles the Host that goes upstream. Without `rewrite.host` an outbound listener sends the upstream's, since its
 * clients name the sidecar; the others keep the client's, but send their own to upstreams that are reached by TLS, as
 * these choose their certificate by it.
 *
 * @param authority the upstream's own
 * @param encrypted whether the upstream is reached by TLS
 */
export function compileHost(
  rewrite: RewritePolicy | null,
  role: Role,
  authority: string,
  encrypted: boolean,
): (exchange: Exchange) => string {
  const wanted = rewrite?.host ?? (role === 'outbound' || (role === 'edge' && encrypted) ? authority : 'keep')
  if (wanted !== 'keep') return () => wanted
  return ({ request }) => {
    if (request === null || request.host === '') return authority
    return request.port === 0 ? request.host : `${request.host}:${request.port}`
  }
}

/**
 * Compiles the target of a redirect: a path or a URL with `{id}`, `{request.host}`, `{request.path}`, `{request.uri}`.
 * Path parameters are encoded for their place, a segment or, behind a `?`, a query value.
 *
 * @returns what makes the value of Location; `bad_path` where a value is missing, or where the path that comes out has
 *   no normal form of its own (`//` at its start would name another host)
 */
export function compileRedirect(to: string): TargetWriter {
  const parts = parseTemplate(to).map(ascii)
  const mark = parts.findIndex(part => part.text.includes('?'))
  const path = mark === -1 ? parts : parts.slice(0, mark + 1)
  const query = mark === -1 ? [] : parts.slice(mark + 1)
  return exchange => {
    const front = fillTemplate(path, exchange, encodeSegments)
    const back = fillTemplate(query, exchange, value => encodeURIComponent(value))
    if (front === null || back === null) return new ProxyError('bad_path')
    const location = front + back
    const found = LOCATION.exec(location)
    if (found === null || !isNormal(found[1] === '' ? '/' : (found[1] as string)))
      return new ProxyError('bad_path')
    return location
  }
}

/** Nothing that ends a line; the group is the path. */
const LOCATION =
  /^(?:[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._:[\]-]+)?(|\/[\x21\x22\x24-\x3e\x40-\x7e]*)(?:[?#][\x21-\x7e]*)?$/

function compilePath(
  rewrite: RewritePolicy | null,
): ((exchange: Exchange, request: CanonicalRequest) => string | ProxyError) | null {
  if (rewrite === null) return null
  if (rewrite.path !== null) {
    const parts = parseTemplate(rewrite.path).map(asciiPath)
    return exchange => {
      const filled = fillTemplate(parts, exchange, encodeSegments)
      return filled !== null && isNormal(filled) ? filled : new ProxyError('bad_path')
    }
  }
  const prefix = rewrite.stripPrefix
  if (prefix === null || prefix === '') return null
  return (_exchange, { path }) => {
    // At a segment's end only: `/apix` and `/api..` are not below `/api`.
    if (!path.startsWith(prefix)) return path
    if (path.length === prefix.length) return '/'
    if (path[prefix.length] !== '/') return path
    const rest = path.slice(prefix.length)
    return isNormal(rest) ? rest : new ProxyError('bad_path')
  }
}

function withQuery(path: string, request: CanonicalRequest): string {
  return request.hasQuery ? `${path}?${request.query}` : path
}

function isNormal(path: string): boolean {
  return canonicalPath(path) === path
}

/**
 * A value as one segment. Of parameters only the group of a regex can hold slashes, and only some that were slashes in
 * the request, so these stay; what an expression brings keeps none, and a path with an encoded one is refused.
 */
function encodeSegments(value: string, { computed }: TemplatePart): string {
  const encoded = encodeURIComponent(value).replace(/%(?:40|3A|24|26|2C|3D)/g, decodeURIComponent)
  return computed === true ? encoded : encoded.replaceAll('%2F', '/')
}

/** What a configuration writes in other alphabets, encoded as a browser would. */
function ascii(part: TemplatePart): TemplatePart {
  return { ...part, text: part.text.replace(/[^\x21-\x7e]/gu, encodeURIComponent) }
}

/** The same for a path, with the characters that no canonical path holds unencoded. */
function asciiPath(part: TemplatePart): TemplatePart {
  return { ...part, text: part.text.replace(/[^\x21-\x7e]|["<>[\]^`{|}]/gu, encodeURIComponent) }
}
