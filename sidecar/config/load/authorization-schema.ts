import type { z } from 'zod'
import { callerHeader } from './field-schema.ts'
import { fieldName } from './match-schema.ts'
import { duration, size } from './quantities.ts'
import { nameText, oneOf, percent, referenceName, scalar, text, Wrong } from './scalars.ts'
import { byName, list, option, orOff, required, section, shorter } from './shape.ts'
import { expandMember } from './shorthands.ts'

const path = text('a path', { pattern: '^/' }, '/', (value, shown) =>
  /^\/[\x21-\x7e]*$/.test(value) && !value.includes('#')
    ? value
    : new Wrong(`expected a path such as \`/check\`, got ${shown}`),
)

const onError = scalar<403 | 503>({ enum: [403, 503] }, 503, (value, shown) =>
  value === 403 || value === 503 ? value : new Wrong(`expected 503 or 403, got ${shown}`),
)

export const CLIENT_HEADERS = [
  'cache-control',
  'content-type',
  'location',
  'retry-after',
  'set-cookie',
  'www-authenticate',
]

const external = section('an external authorization', {
  upstream: required(referenceName, 'the upstream that decides'),
  protocol: option(
    oneOf(['http', 'grpc']),
    '`grpc`: `envoy.service.auth.v3.Authorization/Check`; `http`: 2xx allows',
    'http',
  ),
  path: option(path, "`http`: what is asked, with GET. Default: the request's own method and path"),
  timeout: option(duration, 'how long a decision may take', '200ms'),
  headers: option(
    list(fieldName, 100),
    'names of request headers that are sent. Default: all that would go upstream',
  ),
  body: option(
    size(1, 65_536),
    'how much of the body is sent at most; a longer one is 413. Default: none is sent',
  ),
  upstreamHeaders: option(
    list(callerHeader, 100),
    'headers of an allowing answer that go upstream; clients cannot set them',
    [],
  ),
  clientHeaders: option(
    list(fieldName, 100),
    'headers of a refusing answer that the client gets',
    CLIENT_HEADERS,
  ),
  onError: option(onError, 'the status where nothing was decided', 503),
})

const place = text(
  'a place',
  { samples: ['stdout', 'stderr', '/var/log/outrigger/audit.log'] },
  'stdout',
  (value, shown) =>
    value === 'stdout' || value === 'stderr' || /^\.{0,2}\/[^\0]+$/.test(value)
      ? value
      : new Wrong(`expected \`stdout\`, \`stderr\` or the name of a file with a \`/\`, got ${shown}`),
)

const audit = shorter(
  expandMember,
  orOff(
    section('an audit', {
      percent: option(
        percent,
        'the share of the allowed requests that is written; those refused all are',
        100,
      ),
      to: option(place, 'where: `stdout`, `stderr` or a file, which is added to', 'stdout'),
    }),
  ),
  [{ type: 'boolean' }],
)

/** Who else decides what may be called. */
export const authorizationSchema = section('authorization', {
  external: option(byName(nameText, external), 'services that decide, by name'),
  audit: option(audit, 'a line for each decision; `on`: all, on standard output', false),
})
/** As it is written, after the schema has read it. */
export type WrittenAuthorization = z.infer<typeof authorizationSchema>
