import type { z } from 'zod'
import { SPIFFE_ID } from '../../exchange/peer-identity.ts'
import { parseDuration } from './quantities.ts'
import { flag, oneOf, scalar, text, Wrong } from './scalars.ts'
import { list, option, orOff, required, section, shorter } from './shape.ts'

/** A file, from the file that names it. */
export const fileName = text('the name of a file', {}, 'file.pem', (value, shown) =>
  value === '' ? new Wrong(`expected the name of a file, got ${shown}`) : value,
)

const certificate = section('a certificate', {
  cert: required(fileName, 'the certificate and those between it and its authority, PEM'),
  key: required(fileName, 'its private key, PEM'),
})

const clients = section('client certificates', {
  ca: required(fileName, 'the authorities that sign client certificates, PEM'),
  required: option(
    flag,
    'whether a client has to show one; one that does not hold is refused either way',
    true,
  ),
})

const hstsAge = scalar<number>(
  { type: 'string', pattern: '^\\d+(ms|s|m|h|d)$' },
  31_536_000_000,
  (value, shown) => parseDuration(value, shown),
)
const hsts = shorter(
  value => (value === true || value === 'on' ? {} : value === 'off' ? false : value),
  orOff(
    section('strict transport security', {
      maxAge: option(hstsAge, 'how long a browser keeps to https', '365d'),
      subdomains: option(flag, 'whether that holds for all hosts below', false),
    }),
  ),
  [{ type: 'boolean' }],
)

/** TLS of a listener. */
export const listenerTls = section('TLS of a listener', {
  certificates: required(list(certificate), 'chosen by SNI from their names; the first for the rest'),
  clients: option(clients, 'asks clients for a certificate (mTLS)'),
  minVersion: option(oneOf(['tls1.2', 'tls1.3']), 'the oldest version', 'tls1.2'),
  hsts: option(hsts, 'sends `strict-transport-security`; `on` is a year', false),
})
/** As it is written, after the schema has read it. */
export type WrittenListenerTls = z.infer<typeof listenerTls>

/** An exact SPIFFE ID or DNS name. */
export const peerName = text(
  'a SPIFFE ID or a DNS name',
  { samples: ['spiffe://shop/orders', 'orders.shop.example'] },
  'spiffe://name',
  (value, shown) => {
    if (/^spiffe:/i.test(value)) {
      return SPIFFE_ID.test(value)
        ? value
        : new Wrong(
            `${shown} is no SPIFFE ID: expected \`spiffe://domain/path\`, exact and without a wildcard`,
          )
    }
    const name = value.toLowerCase()
    return /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(name)
      ? name
      : new Wrong(`expected a SPIFFE ID or a DNS name, exact and without a wildcard, got ${shown}`)
  },
)

/** TLS towards an upstream. */
export const upstreamTls = shorter(
  value => (value === true || value === 'on' ? {} : value),
  section('TLS of an upstream', {
    ca: option(fileName, "authorities that sign its certificate, PEM; the system's where none is given"),
    cert: option(fileName, 'our certificate, PEM, where it asks for one'),
    key: option(fileName, 'its private key, PEM'),
    serverName: option(
      text('a host', {}, 'host', (value, shown) =>
        /^[A-Za-z0-9._-]+$/.test(value) ? value.toLowerCase() : new Wrong(`${shown} is no host name`),
      ),
      'the name asked for (SNI) and looked for in the certificate. Default: the host of `url`, else the endpoint',
    ),
    peers: option(
      list(peerName),
      'who it has to be: exact SPIFFE IDs or DNS names, instead of its host name',
    ),
  }),
  [{ type: 'boolean' }],
)
/** As it is written, after the schema has read it. */
export type WrittenUpstreamTls = z.infer<typeof upstreamTls>
