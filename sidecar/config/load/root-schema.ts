import { z } from 'zod'
import { authenticationSchema } from './authentication-schema.ts'
import { authorizationSchema } from './authorization-schema.ts'
import { consumerSchema, planSchema } from './consumers-schema.ts'
import { stores } from './limit-schema.ts'
import { listenAddress, listenerSchema } from './listener-schema.ts'
import { policiesSchema } from './policy-schema.ts'
import { duration } from './quantities.ts'
import { anyText, isOff, NAME_PATTERN, nameText, oneOf, percent, scalar, Wrong } from './scalars.ts'
import { byName, list, option, required, section, shorter } from './shape.ts'
import { expandAccessLog } from './shorthands.ts'
import { parseAddress } from './address-text.ts'
import type { Address } from '../../exchange/address.ts'
import { upstreamSchema } from './upstream-schema.ts'

const version = scalar<1>({ const: 1 }, 1, (value, shown) => {
  if (value === 1) return 1
  return new Wrong(
    `expected \`version: 1\`, got ${shown}`,
    value === '1' ? 'write it without quotes: version: 1' : undefined,
  )
})

const addressOrOff = scalar<Address | null>(
  { anyOf: [{ type: 'string' }, { const: false }] },
  null,
  (value, shown) => {
    if (isOff(value)) return null
    if (typeof value !== 'string') return new Wrong(`expected an address or \`off\`, got ${shown}`)
    const address = parseAddress(value, 'listen')
    return typeof address === 'string' ? new Wrong(`${address}, got ${shown}`) : address
  },
)

const writes = scalar<'all' | 'errors' | 'off'>({ enum: [true, false, 'errors'] }, 'off', (value, shown) => {
  if (value === true || value === 'on') return 'all'
  if (isOff(value)) return 'off'
  return value === 'errors' ? value : new Wrong(`expected \`on\`, \`off\` or \`errors\`, got ${shown}`)
})

const accessLog = shorter(
  expandAccessLog,
  section('an access log', {
    write: option(
      writes,
      '`on`: every request; `errors`: status 400 and above. Default: at the edge `on`, else `errors`',
    ),
    format: option(oneOf(['json', 'text']), 'Default: `text` on a terminal, else `json`'),
    percent: option(percent, 'the share of the requests that is written', 100),
  }),
  [writes],
)

export const DEFAULT_BUCKETS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

const telemetry = section(
  'telemetry',
  {
    accessLog: option(accessLog, 'the access log on standard output'),
    metrics: option(
      section('metrics', {
        buckets: option(list(duration, 50), 'upper bounds of the duration histogram, rising', [
          '5ms',
          '10ms',
          '25ms',
          '50ms',
          '100ms',
          '250ms',
          '500ms',
          '1s',
          '2500ms',
          '5s',
          '10s',
        ]),
      }),
      'the metrics at `/metrics`',
    ),
  },
  ['tracing'],
)

const admin = section('admin', {
  address: option(
    listenAddress,
    'where it listens; a second process in one network namespace says its own',
    '127.0.0.1:9901',
  ),
  probes: option(addressOrOff, 'an address that answers `/healthz`, `/readyz` and `/metrics` only', false),
  token: option(anyText, 'what writes have to bring where the address is not loopback'),
})

/** Everything that may stand in a configuration. */
export const rootSchema = section(
  'the configuration',
  {
    version: required(version, 'the version of this format'),
    service: required(nameText, "this workload's name: metrics, traces, identity"),
    environments: option(
      list(nameText),
      'names of overlays beside `development`, `test`, `staging` and `production`',
    ),
    listeners: required(list(listenerSchema), 'where requests come in'),
    upstreams: option(
      byName(z.string().regex(new RegExp(NAME_PATTERN)), upstreamSchema),
      'where requests go, by name',
    ),
    defaults: option(policiesSchema, 'policies for every route'),
    authentication: option(authenticationSchema, 'who proves who is calling'),
    authorization: option(authorizationSchema, 'who else decides what may be called'),
    consumers: option(list(consumerSchema), 'who may be calling, by name'),
    plans: option(
      byName(nameText, planSchema),
      'tiers of callers; the first that fits, in the order written',
    ),
    stores: option(stores, 'what several processes count in, by name'),
    telemetry: option(telemetry, 'what it tells about itself'),
    admin: option(admin, 'the admin listener'),
    drain: option(
      section('drain', {
        timeout: option(duration, 'how long a drain may take. Default: edge 30s, sidecar 120s'),
      }),
      'the end of the process on SIGTERM',
    ),
    watch: option(
      section('watch', {
        poll: option(duration, 'how often files are compared by content, whatever the watcher says', '30s'),
      }),
      'how changes of files are noticed',
    ),
  },
  ['filters', 'workers'],
)
/** A whole configuration as it is written, after the schema has read it. */
export type WrittenConfig = z.infer<typeof rootSchema>
