import { z } from 'zod'
import { authenticate } from './authentication-schema.ts'
import { authorize } from './authorize-schema.ts'
import { canonicalPath } from '../../routing/canonical-request.ts'
import { editableField, fieldName, method } from './match-schema.ts'
import { parseHost } from './match-text.ts'
import { rateLimit } from './limit-schema.ts'
import { durationOrOff, parseDuration, sizeOrSwitch } from './quantities.ts'
import { retry, timeout } from './retry-schema.ts'
import { flag, isOff, scalar, text, Wrong } from './scalars.ts'
import { byFieldName, list, option, orOff, section, shorter } from './shape.ts'
import { expandMember, expandUpgrade } from './shorthands.ts'
import { parseTemplate } from './template.ts'
import type { TemplatePart } from './template.ts'
import { fieldTemplate } from './template-schema.ts'
import { affinity, fallback, fault, mirror } from './traffic-schema.ts'

const SWITCH = { type: 'boolean' }

const rewriteHost = text('a host', {}, 'keep', (value, shown) =>
  value === 'keep' ? value : parseHost(value, shown, true),
)
/** What would be a 400 for every request, whatever is filled in. */
function rewrittenPath(parts: readonly TemplatePart[], shown: string): Wrong | null {
  const text = parts.map(part => ('text' in part ? part.text : (FILLED.get(part.expression) ?? 'x'))).join('')
  if (/[?#]/.test(text)) {
    return new Wrong(
      `${shown}: a path ends before \`?\` and \`#\``,
      'the query of the request goes upstream as it was sent',
    )
  }
  // As the request path encodes what a configuration writes in other alphabets.
  const path = text.replace(/[^\x21-\x7e]|["<>[\]^`{|}]/gu, encodeURIComponent)
  const canonical = canonicalPath(path)
  if (canonical === path) return null
  return new Wrong(
    `${shown} is no path in its normal form: every request would be refused`,
    canonical === null || parts.length > 1 ? undefined : `write: ${canonical}`,
  )
}
const FILLED: ReadonlyMap<string, string> = new Map([
  ['request.path', '/x'],
  ['request.uri', '/x'],
])

const rewritePath = text('a path', { pattern: '^/', format: 'template' }, '/', (value, shown) => {
  if (!value.startsWith('/')) return new Wrong(`a path begins with \`/\`, got ${shown}`, `write: /${value}`)
  const parsed = parseTemplate(value)
  if (typeof parsed === 'string') return new Wrong(`${shown}: ${parsed}`)
  return rewrittenPath(parsed, shown) ?? value
})
const stripPrefix = text('a path', { pattern: '^/' }, '/x', (value, shown) => {
  if (!/^\/[^?#{}*\s]+$/.test(value))
    return new Wrong(`expected a path prefix such as \`/api\`, got ${shown}`)
  return value.replace(/\/+$/, '') || new Wrong(`expected a path prefix such as \`/api\`, got ${shown}`)
})
const rewrite = orOff(
  section('a rewrite', {
    stripPrefix: option(stripPrefix, 'what is taken from the front of the path'),
    path: option(rewritePath, 'the path that goes upstream; `{id}` is a path parameter'),
    host: option(rewriteHost, "the Host that goes upstream; `keep` is the client's. Default: by role"),
  }),
)

const edits = section('header edits', {
  set: option(byFieldName(editableField, fieldTemplate), 'stands once, with this value'),
  add: option(byFieldName(editableField, fieldTemplate), 'one more line, whatever is there'),
  remove: option(list(editableField), 'names of headers that are taken away'),
})
const headers = orOff(
  section('headers', {
    request: option(edits, 'on the way up'),
    response: option(edits, 'on the way back'),
  }),
)

const ORIGIN =
  /^https?:\/\/(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*(:\d{1,5})?$/
function readOrigin(value: string, shown: string): string | Wrong {
  const lower = value.toLowerCase()
  if (ORIGIN.test(lower))
    return lower.replace(/^(http:\/\/.*):80$/, '$1').replace(/^(https:\/\/.*):443$/, '$1')
  if (lower === 'null') return new Wrong('the origin `null` is any sandboxed page: it cannot be allowed')
  return new Wrong(
    `expected an origin such as \`https://shop.example\`, got ${shown}`,
    ORIGIN.test(lower.replace(/\/.*$/, '').replace(/^/, 'https://'))
      ? `write: https://${lower.replace(/\/.*$/, '')}`
      : originOf(lower),
  )
}
const origin = text(
  'an origin',
  { samples: ['https://shop.example', 'https://*.shop.example'] },
  '*',
  (value, shown) => (value === '*' ? value : readOrigin(value, shown)),
)

function originOf(text: string): string | undefined {
  const match = /^(https?:\/\/[^/]+)\/.*$/.exec(text)
  return match === null ? undefined : `write: ${match[1]}`
}

const corsMethod = z.union([z.literal('*'), method])
const maxAge = scalar<number>({ type: 'string', pattern: '^\\d+(ms|s|m|h|d)$' }, 600, (value, shown) => {
  if (isOff(value)) return 0
  const ms = parseDuration(value, shown, ' or `off`')
  return ms instanceof Wrong ? ms : Math.floor(ms / 1000)
})
const cors = orOff(
  section('cors', {
    origins: option(list(origin), 'who may call from a browser: origins, `https://*.shop.example`, or `*`'),
    methods: option(list(corsMethod), 'methods a preflight may ask for; `*`: whatever is asked', [
      'GET',
      'HEAD',
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
    ]),
    headers: option(list(fieldName), 'request headers a preflight may ask for; `*`: whatever is asked', '*'),
    expose: option(
      list(fieldName),
      'response headers a script may read, besides those that it always may',
      [],
    ),
    credentials: option(
      flag,
      'whether cookies and credentials may be sent; never with the origin `*`',
      false,
    ),
    maxAge: option(maxAge, 'how long a browser may keep the answer to a preflight', '10m'),
  }),
)

const protocol = text('a protocol name', { pattern: '^[A-Za-z0-9.-]+$' }, 'websocket', (value, shown) =>
  /^[A-Za-z0-9!#$%&'*+.^_|~-]+(\/[A-Za-z0-9.]+)?$/.test(value)
    ? value.toLowerCase()
    : new Wrong(`${shown} is no protocol name`),
)
/** More often would be noise on a line that is there. */
const SHORTEST_PING_MS = 1000
const pingOrOff = scalar<number | null>(
  { anyOf: [{ type: 'string', pattern: '^\\d+(ms|s|m|h|d)$' }, { const: false }] },
  null,
  (value, shown) => {
    if (isOff(value)) return null
    const ms = parseDuration(value, shown, ' or `off`')
    return ms instanceof Wrong || ms >= SHORTEST_PING_MS
      ? ms
      : new Wrong(`expected \`1s\` or more, or \`off\`, got ${shown}`)
  },
)
const pageOrigin = text(
  'an origin',
  { samples: ['https://shop.example', 'https://*.shop.example'] },
  'https://a',
  (value, shown) =>
    value === '*'
      ? new Wrong('`*` is every page there is', 'leave `origins` out where any page may come')
      : readOrigin(value, shown),
)
const websocket = shorter(
  expandMember,
  section('settings of WebSockets', {
    origins: option(
      list(pageOrigin),
      'pages that may open one, besides those of the own host: origins, `https://*.shop.example`. Default: any',
    ),
    ping: option(
      pingOrOff,
      'how long an end may be silent before it is asked whether it is there; after two pings without an answer the WebSocket is closed',
      '30s',
    ),
    max: option(durationOrOff, 'how long one may live; then it is closed with 1001', false),
  }),
  [SWITCH],
)
const upgrade = shorter(
  expandUpgrade,
  orOff(
    section('an upgrade', {
      protocols: option(list(protocol), 'names of protocols that may be upgraded to', ['websocket']),
      websocket: option(websocket, 'how WebSockets are looked after'),
    }),
  ),
  [SWITCH, protocol, z.array(protocol)],
)

/** Policies that later versions act on. */
export const LATER_POLICIES = [
  'validate',
  'transcode',
  'transform',
  'cache',
  'compress',
  'deprecated',
  'filters',
]

/** The policies, as they may stand in `defaults`, in a listener and in a route. */
export const policyShape = {
  timeout: option(timeout, '`10s` is the total; `off` for none', { total: '15s', idle: '5m' }),
  retry: option(retry, '`2` is the count; `off` for none. Inbound only what was never processed', 1),
  requestSize: option(
    sizeOrSwitch,
    'the largest request body; 413 beyond. Inbound and outbound 10MiB, edge 1MiB',
  ),
  rewrite: option(rewrite, 'path and Host that go upstream'),
  headers: option(headers, 'what is changed in the headers, on the way up and on the way back'),
  cors: option(cors, 'who may call from a browser'),
  grpcWeb: option(flag, 'calls of gRPC-Web, binary and text, go on as gRPC', false),
  authenticate: option(authenticate, 'who may call; `off`: everybody'),
  authorize: option(
    authorize,
    'what has to hold of who calls: all that is given, here and at the levels above',
  ),
  rateLimit: option(rateLimit, 'how many requests; `off`: any number'),
  upgrade: option(upgrade, 'protocols that a request may upgrade to; `on` is WebSocket', 'on'),
  mirror: option(mirror, 'a copy of some requests for another upstream, whose answers are dropped'),
  fault: option(fault, 'trouble made on purpose, before the action'),
  affinity: option(affinity, 'a cookie of ours that keeps a client at one endpoint'),
  fallback: option(
    fallback,
    'what is done instead of answering with an error that the upstream caused, or its 502, 503 or 504',
  ),
}

export const policiesSchema = section('defaults', policyShape, LATER_POLICIES)
/** The policies of one level as they are written, after the schema has read them. */
export type WrittenPolicies = z.infer<typeof policiesSchema>
