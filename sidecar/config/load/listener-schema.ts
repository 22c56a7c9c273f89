import type { z } from 'zod'
import type { Address } from '../../exchange/address.ts'
import { actionShape, LATER_ACTIONS } from './action-schema.ts'
import { parseRange } from './address-range.ts'
import { parseAddress } from './address-text.ts'
import { matchSchema } from './match-schema.ts'
import { SPIFFE_ID } from '../../exchange/peer-identity.ts'
import { parseHost } from './match-text.ts'
import { LATER_POLICIES, policyShape } from './policy-schema.ts'
import { duration, durationOrOff, size } from './quantities.ts'
import { flag, integer, integerOrOff, nameText, oneOf, referenceName, text, Wrong } from './scalars.ts'
import { listenerTls } from './tls-schema.ts'
import { list, option, required, section } from './shape.ts'

/** An address to listen on. */
export const listenAddress = text<Address>(
  'an address',
  { samples: [':8080', '127.0.0.1:8080', '[::]:8080', 'unix:/run/outrigger.sock'] },
  { kind: 'tcp', host: '127.0.0.1', port: 0 },
  (value, shown) => {
    const address = parseAddress(value, 'listen')
    return typeof address === 'string' ? new Wrong(`${address}, got ${shown}`) : address
  },
)

export const routeSchema = section(
  'a route',
  {
    name: required(nameText, 'unique in the whole configuration; the label in metrics and logs'),
    match: option(matchSchema, 'which requests; none: all'),
    ...actionShape,
    ...policyShape,
  },
  [...LATER_ACTIONS, ...LATER_POLICIES],
)
/** A route as it is written, after the schema has read it. */
export type WrittenRoute = z.infer<typeof routeSchema>

const trustedProxy = text(
  'an address range',
  { samples: ['10.0.0.0/8', '192.0.2.1'] },
  '127.0.0.1',
  (value, shown) => {
    if (SPIFFE_ID.test(value)) return value
    if (value.startsWith('spiffe://'))
      return new Wrong(`expected an address range or a SPIFFE ID, got ${shown}`)
    return parseRange(value, shown)
  },
)

const servedHost = text(
  'a host',
  { samples: ['www.shop.example', '*.shop.example'] },
  'host',
  (value, shown) => parseHost(value, shown, false),
)

const http2 = section('limits of HTTP/2', {
  streams: option(integer(1, 10_000), 'requests at once; more are refused, to be sent again', 100),
  streamWindow: option(
    size(64 * 1024, 16 * 1024 * 1024),
    'how much of a request body may come before the upstream takes it',
    '64KiB',
  ),
  window: option(
    size(64 * 1024, 256 * 1024 * 1024),
    'how much of all request bodies together may come ahead of what we have credited',
    '1MiB',
  ),
})

const limits = section('limits of a listener', {
  headerBytes: option(size(1024, 1024 * 1024), 'the whole request head; 431 beyond', '16KiB'),
  headerFields: option(integer(1, 10_000), 'header fields of a request; 431 beyond', 100),
  urlBytes: option(size(64, 1024 * 1024), 'the request target; 414 beyond', '8KiB'),
  connections: option(
    integerOrOff(1, 10_000_000),
    'open connections. Default: 10,000, or what file descriptors and memory allow',
  ),
  connectionsPerAddress: option(
    integerOrOff(1, 1_000_000),
    'open connections of one client address, of IPv6 its /64. Default: off, at the edge 1000',
  ),
  requestsPerConnection: option(
    integerOrOff(1, 1_000_000_000),
    'requests until a connection is closed',
    false,
  ),
  http2: option(http2, 'what a client may use of one HTTP/2 connection'),
})

const connection = section('connections of a listener', {
  handshake: option(duration, 'how long a TLS handshake may take', '5s'),
  head: option(duration, 'how long a request head may take; 408 beyond', '10s'),
  bodyIdle: option(duration, 'how long a request body may pause', '30s'),
  writeIdle: option(duration, 'how long a client may take no byte of a response', '60s'),
  keepAlive: option(duration, 'how long an idle connection is kept', '75s'),
  age: option(durationOrOff, 'how old a connection may become, give or take a tenth', '1h'),
})

export const listenerSchema = section(
  'a listener',
  {
    name: required(nameText, 'unique among the listeners'),
    role: required(oneOf(['inbound', 'outbound', 'edge']), 'a set of defaults'),
    address: required(listenAddress, '`host:port`, or `:port` for all; `unix:/path`'),
    hosts: option(
      list(servedHost),
      'the hosts it serves; none: all that no other listener on its address serves',
    ),
    protocol: option(
      oneOf(['http', 'tcp']),
      'what is spoken; `tcp` passes bytes as they are, with routes by `sni`',
      'http',
    ),
    proxyProtocol: option(
      flag,
      'every connection begins with a PROXY protocol header (v1 or v2), believed from `trustedProxies` only',
      false,
    ),
    tls: option(listenerTls, 'opens TLS on every connection'),
    trustedProxies: option(
      list(trustedProxy),
      'address ranges whose `x-forwarded-*` and PROXY protocol headers are believed',
      [],
    ),
    allowRemote: option(flag, 'lets an outbound listener listen on more than the loopback address', false),
    tunnel: option(
      flag,
      'outbound: a CONNECT to a host without a route, or to port 443, is a plain tunnel that is not seen into',
      false,
    ),
    limits: option(limits, 'what a client may use'),
    connection: option(connection, 'clocks of client connections'),
    routes: option(list(routeSchema), 'its routes'),
    upstreams: option(
      list(referenceName),
      'outbound: a route for each, for the host that is its name or that of its `url`',
    ),
    ...actionShape,
    ...policyShape,
  },
  [...LATER_ACTIONS, ...LATER_POLICIES],
)
/** A listener as it is written, after the schema has read it. */
export type WrittenListener = z.infer<typeof listenerSchema>
