import { z } from 'zod'
import type { PathMatch, ValueTest } from '../../routing/match-spec.ts'
import { parseExactPath, parseHost, parsePath, parseRegex } from './match-text.ts'
import { Referenced } from './referenced.ts'
import { flag, integer, text, Wrong } from './scalars.ts'
import { byFieldName, byName, list, option, required, section, shorter } from './shape.ts'
import { didYouMean } from './suggestion.ts'
import { nodeHttp } from '../../runtime/node-modules.ts'

export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

export const fieldName = text('a header name', { pattern: TOKEN.source }, 'x', (value, shown) =>
  TOKEN.test(value) ? value.toLowerCase() : new Wrong(`${shown} is no header name`),
)

/** Fields that frame a message or belong to one connection: the codecs write them, and nothing else may. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'date',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A header name that a policy or an answer may touch. */
export const editableField = text('a header name', { pattern: TOKEN.source }, 'x', (value, shown) => {
  const name = value.toLowerCase()
  if (!TOKEN.test(value)) return new Wrong(`${shown} is no header name`)
  if (name === 'host') return new Wrong('`host` is not changed here', 'write: rewrite: { host: name }')
  return FRAMING.has(name)
    ? new Wrong(`\`${name}\` belongs to the connection: it cannot be set or removed`)
    : name
})

const known = new Set(nodeHttp().METHODS.filter(method => method !== 'CONNECT'))
export const method = text('a method', { samples: ['GET', 'POST'] }, 'GET', parseMethod)

/** A method that is served, as it was written. */
export function parseMethod(value: string, shown: string): string | Wrong {
  if (known.has(value)) return value
  return new Wrong(
    `${shown} is no method that is served`,
    known.has(value.toUpperCase()) ? `write: ${value.toUpperCase()}` : didYouMean(value, known),
  )
}

const prefixOrTemplate = text<PathMatch>('a path', { pattern: '^/' }, { kind: 'prefix', path: '' }, parsePath)
const exactPath = text<PathMatch>('a path', { pattern: '^/' }, { kind: 'exact', path: '/' }, parseExactPath)
export const regex = text('a regular expression', { format: 're2' }, '.*', parseRegex)

/** Text where a map may stand too. */
function asText(key: string): (value: unknown) => unknown {
  return value =>
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    value instanceof Referenced
      ? { [key]: value }
      : value
}

const pathMatch = shorter(
  asText('path'),
  section('a path', {
    path: option(prefixOrTemplate, 'a prefix or a template, the same as the text alone'),
    exact: option(exactPath, 'just this path'),
    regex: option(regex, 'the whole path; RE2 syntax; named groups are parameters'),
  }).transform((given, context): PathMatch => {
    const all = [given.path, given.exact, given.regex].filter(one => one !== undefined)
    if (all.length !== 1) {
      context.issues.push({ code: 'custom', input: given, message: 'expected one of `exact` and `regex`' })
      return z.NEVER
    }
    return given.path ?? given.exact ?? { kind: 'regex', regex: given.regex ?? '' }
  }),
  [prefixOrTemplate],
)

const plainText = text('text', {}, '', value => value)

const valueTest = shorter(
  asText('exact'),
  section('a condition', {
    exact: option(plainText, 'just this text, the same as the text alone'),
    prefix: option(plainText, 'what the value begins with'),
    regex: option(regex, 'the whole value; RE2 syntax'),
    present: option(flag, 'whether it is there, whatever its value'),
  }).transform((given, context): ValueTest => {
    const count = Object.values(given).filter(one => one !== undefined).length
    if (count !== 1 || given.present === false) {
      const message =
        count === 1 ? '`present` can only be true' : 'expected one of `prefix`, `regex` and `present`'
      context.issues.push({ code: 'custom', input: given, message })
      return z.NEVER
    }
    if (given.exact !== undefined) return { kind: 'exact', value: given.exact }
    if (given.prefix !== undefined) return { kind: 'prefix', value: given.prefix }
    return given.regex === undefined ? { kind: 'present' } : { kind: 'regex', regex: given.regex }
  }),
  [plainText],
)

export const hostPattern = text(
  'a host',
  { samples: ['www.shop.example', '*.shop.example'] },
  'host',
  (value, shown) => parseHost(value, shown, true),
)

const serverName = text(
  'a server name',
  { samples: ['db.shop.example', '*.shop.example'] },
  'host',
  (value, shown) => parseHost(value, shown, false),
)

const grpcService = text(
  'a gRPC service',
  { pattern: String.raw`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$` },
  'shop.Users',
  (value, shown) =>
    /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/.test(value)
      ? value
      : new Wrong(`${shown} is no name of a gRPC service`, 'write: package.Service'),
)

const grpcMethod = text('a gRPC method', { pattern: String.raw`^[A-Za-z_]\w*$` }, 'Get', (value, shown) =>
  /^[A-Za-z_]\w*$/.test(value) ? value : new Wrong(`${shown} is no name of a gRPC method`),
)

/** What a route asks of a request. */
export const matchSchema = section('a match', {
  host: option(list(hostPattern), 'hosts; `*.shop.example` is one label or more. None: every host'),
  path: option(
    list(pathMatch),
    '`/api` is a segment prefix, `/users/{id}` a template for the whole path, `/users/{id}/**` for that and all below',
    '/',
  ),
  methods: option(list(method), '`GET` includes `HEAD`. None: every method'),
  headers: option(byFieldName(fieldName, list(valueTest)), 'conditions by header name; all must hold'),
  query: option(byName(plainText, list(valueTest)), 'conditions by query parameter; all must hold'),
  sni: option(
    list(serverName),
    'in a TCP listener: the server name that the client asks for; `*.shop.example` is one label or more. None: every connection',
  ),
  grpc: option(
    section('a gRPC call', {
      service: required(grpcService, 'the service with its package'),
      method: option(list(grpcMethod), 'its methods. None: every one'),
    }),
    'calls of a gRPC service, in place of `path` and `methods`',
  ),
  priority: option(
    integer(-1_000_000, 1_000_000),
    'decides between routes that rank alike; the higher wins',
    0,
  ),
})
