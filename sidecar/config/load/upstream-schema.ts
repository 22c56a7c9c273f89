import type { z } from 'zod'
import { parseAddress } from './address-text.ts'
import { loadBalance, zone } from './balance-schema.ts'
import { discovery } from './discovery-schema.ts'
import { circuitBreaker, healthCheck, outlierDetection } from './health-schema.ts'
import { duration } from './quantities.ts'
import { integer, integerOrOff, oneOf, text, Wrong } from './scalars.ts'
import { list, option, orOff, required, section, shorter } from './shape.ts'
import { upstreamTls } from './tls-schema.ts'
import { expandMember } from './shorthands.ts'

/** What a `url` says. */
export interface UpstreamUrl {
  readonly host: string
  readonly port: number
  readonly authority: string
  readonly basePath: string
  /** Whether it says https. */
  readonly encrypted: boolean
}

const STAND_IN: UpstreamUrl = {
  host: 'localhost',
  port: 80,
  authority: 'localhost',
  basePath: '',
  encrypted: false,
}

const url = text('a URL', { format: 'uri', pattern: '^https?://' }, STAND_IN, (value, shown) => {
  if (!/^[a-z]+:\/\//i.test(value)) return new Wrong(`expected a URL, got ${shown}`, `write: http://${value}`)
  if (!/^https?:/i.test(value)) return new Wrong(`expected an http or https URL, got ${shown}`)
  const parsed = URL.parse(value)
  if (parsed === null || parsed.hostname === '') return new Wrong(`${shown} is no URL`)
  if (parsed.username !== '' || parsed.password !== '')
    return new Wrong('a URL cannot hold a user or a password here')
  if (parsed.search !== '' || parsed.hash !== '' || /[?#]/.test(value))
    return new Wrong(`${shown}: a URL ends before \`?\` and \`#\` here`)
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? (parsed.protocol === 'https:' ? 443 : 80) : Number(parsed.port),
    encrypted: parsed.protocol === 'https:',
    authority: parsed.host,
    basePath: parsed.pathname.replace(/\/+$/, ''),
  }
})

const endpointAddress = text(
  'an address',
  { samples: ['users-1:8080', '[::1]:8080', 'unix:/run/app.sock'] },
  { kind: 'tcp' as const, host: 'localhost', port: 80 },
  (value, shown) => {
    const address = parseAddress(value, 'connect')
    return typeof address === 'string' ? new Wrong(`${address}, got ${shown}`) : address
  },
)

const endpoint = shorter(
  value => (typeof value === 'object' && value !== null && !('text' in value) ? value : { address: value }),
  section('an endpoint', {
    address: required(endpointAddress, '`host:port` or `unix:/path`'),
    weight: option(
      integer(0, 65_535),
      'its share beside the others; 0: only clients that affinity binds to it',
      1,
    ),
    zone: option(zone, 'where it is'),
    priority: option(
      integer(0, 100),
      '0 is used first; a higher one only while those below it cannot take the load',
      0,
    ),
  }),
  [endpointAddress],
)

/** Where requests go. */
export const upstreamSchema = section('an upstream', {
  url: option(url, "where it is; its path is put in front of the request's"),
  endpoints: option(
    list(endpoint),
    'its addresses, instead of `url`; names are resolved to all their addresses',
  ),
  discovery: option(discovery, 'finds its endpoints, instead of `url` and `endpoints`'),
  loadBalance: option(
    loadBalance,
    'how an endpoint is chosen: the name of a policy, or a map',
    'least-request',
  ),
  healthCheck: option(
    healthCheck,
    'how its endpoints are asked whether they are well: a path, or a map',
    false,
  ),
  outlierDetection: option(outlierDetection, 'puts aside endpoints that answer with errors', 'on'),
  circuitBreaker: option(
    circuitBreaker,
    'refuses requests at once while it fails; 503 `circuit_open`. `on` is 5 failures in a row, for 30s',
    false,
  ),
  limits: option(
    section('limits of an upstream', {
      inFlight: option(integer(1, 1_000_000), 'requests in flight at one time', 1024),
      pending: option(integer(0, 1_000_000), 'requests that wait for a connection', 256),
      connections: option(
        integerOrOff(1, 1_000_000),
        'open connections to all endpoints together; of HTTP/2 each endpoint may have one in any case. Default: as many as are in flight',
        false,
      ),
      retries: option(
        integerOrOff(0, 1_000_000),
        'retries that run or wait, whatever the budgets of the routes allow',
        false,
      ),
      adaptive: option(
        shorter(
          expandMember,
          orOff(
            section('an adaptive limit', {
              min: option(integer(1, 1_000_000), 'what it never goes below', 10),
            }),
          ),
          [{ type: 'boolean' }],
        ),
        'finds the number in flight that it answers without queueing, up to `inFlight`',
        false,
      ),
    }),
    'how much it is given at one time; 503 `upstream_overloaded` beyond',
  ),
  tls: option(
    orOff(upstreamTls),
    'encrypts the way to it; `https://` means `on`, with the authorities of the system',
  ),
  proxyProtocol: option(
    shorter(value => (value === true || value === 'on' ? 'v2' : value), orOff(oneOf(['v1', 'v2'])), [
      { type: 'boolean' },
    ]),
    'each connection begins with a PROXY protocol header that names the client, and is for that client alone; `on` is `v2`',
    false,
  ),
  protocol: option(
    oneOf(['http1', 'http2']),
    'what is spoken with it; `http2` without TLS is h2c, with TLS it has to be agreed on (ALPN)',
    'http1',
  ),
  connection: option(
    section('connections of an upstream', {
      connect: option(
        duration,
        'how long a connection may take to be made; 1s where every endpoint is on this machine',
        '2s',
      ),
      keepAlive: option(
        duration,
        'how long an idle connection is kept; 5m where `protocol` is `http2`',
        '3s',
      ),
    }),
    'its connections',
  ),
})
/** An upstream as it is written, after the schema has read it. */
export type WrittenUpstream = z.infer<typeof upstreamSchema>
