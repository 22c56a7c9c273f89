import { z } from 'zod'
import { claimHeader, keyHeader, tokenHeader } from './field-schema.ts'
import { claimPath, cookieName } from './key-schema.ts'
import { duration, durationOrOff } from './quantities.ts'
import { anyText, flag, isOff, nameText, oneOf, referenceName, scalar, text, Wrong } from './scalars.ts'
import { byFieldName, byName, list, option, required, section, shorter } from './shape.ts'

/** Signature algorithms (RFC 7518, RFC 8037, RFC 9864); `none` is not among them. */
export const ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const),
  ...(['HS256', 'HS384', 'HS512'] as const),
] as const

/** Https, or http to a loopback address: what comes from there decides who may call. */
export const keyUrl = text(
  'a URL',
  { samples: ['https://id.shop.example/jwks.json'] },
  'https://idp.example',
  readUrl,
)

function readUrl(value: string, shown: string): string | Wrong {
  const url = URL.canParse(value) ? new URL(value) : null
  if (url === null || !/^https?:$/.test(url.protocol))
    return new Wrong(`expected an https:// URL, got ${shown}`)
  if (url.username !== '' || url.password !== '')
    return new Wrong(`${shown}: a URL with a password is written into logs`)
  if (url.hash !== '') return new Wrong(`${shown}: what follows \`#\` is never sent`)
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'http:' && !loopback)
    return new Wrong(
      `${shown} is not encrypted: whoever is on the way could bring keys of their own`,
      'write https://',
    )
  return value
}

/** A text, or `off`, which is null. */
export const textOrOff = scalar<string | null>(
  { anyOf: [{ type: 'string' }, { const: false }] },
  null,
  (value, shown) => {
    if (isOff(value)) return null
    return typeof value === 'string' && value !== ''
      ? value
      : new Wrong(`expected text or \`off\`, got ${shown}`)
  },
)

const fileName = text('the name of a file', {}, 'jwks.json', (value, shown) =>
  value === '' ? new Wrong(`expected the name of a file, got ${shown}`) : value,
)

const jwks = section('a key set', {
  url: option(keyUrl, 'where it is fetched, and again each five minutes'),
  file: option(fileName, 'a file that holds it, read again when it changes'),
})

const place = section('the place of a credential', {
  header: option(tokenHeader, 'a header that holds nothing else'),
  cookie: option(cookieName, 'a cookie'),
})

const audiences = z.union([
  scalar<null>({ const: false }, null, (value, shown) =>
    isOff(value) ? null : new Wrong(`expected audiences or \`off\`, got ${shown}`),
  ),
  list(anyText, 100),
])

const revoked = option(
  section('revocations', {
    file: required(fileName, 'a file with a line for each: `jti ID`, `sub NAME`; read again when it changes'),
  }),
  'tokens and callers that are refused before their credentials end',
)

const exchange = option(
  section('a token exchange', {
    url: required(keyUrl, 'the token endpoint'),
    clientId: required(anyText, 'who asks'),
    clientSecret: required(anyText, 'proves who asks (basic authentication)'),
    audience: option(anyText, 'whom the token is for'),
    resource: option(keyUrl, 'whom it is for, as a URL'),
    scopes: option(list(anyText, 50), 'what it is for'),
    timeout: option(duration, 'how long an answer is waited for', '2s'),
  }),
  'upstreams get what the token is exchanged for (RFC 8693), as `authorization: Bearer`',
)

const jwtProvider = section('a JWT provider', {
  issuer: option(
    textOrOff,
    'what `iss` has to be, and where keys are discovered unless `jwks` or `secret` says them; `off`: not looked at',
  ),
  audiences: option(audiences, 'one of these has to be in `aud`; `off`: not looked at'),
  jwks: option(jwks, 'the keys of the issuer'),
  secret: option(anyText, 'a key that both sides know, at least 32 bytes (HS256)'),
  algorithms: option(
    list(oneOf(ALGORITHMS)),
    'signature algorithms that are accepted. Default: HS256 with `secret`, else what fits the key',
  ),
  expiry: option(flag, '`off` accepts tokens without `exp`', true),
  types: option(list(anyText, 20), 'what `typ` may be', ['JWT', 'at+jwt']),
  skew: option(duration, 'how much clocks may differ', '30s'),
  from: option(place, 'where the token stands. Default: `authorization: Bearer`'),
  forward: option(flag, '`off` takes the token out of the request', true),
  proof: option(
    oneOf(['mtls', 'dpop']),
    'what tokens have to be bound to: a client certificate (RFC 8705) or a key (RFC 9449). Default: those that are bound are held to it',
  ),
  subject: option(claimPath, 'the claim that says who calls', 'sub'),
  groups: option(claimPath, 'the claim that lists groups; `a.b` goes into a claim that is a map'),
  claimHeaders: option(
    byFieldName(claimHeader, claimPath),
    'headers that tell the upstream what a claim says; clients cannot set them',
  ),
  revoked,
  exchange,
})

const introspectionProvider = section('an introspection provider', {
  url: required(keyUrl, 'where the issuer says whether a token is good'),
  clientId: required(anyText, 'who asks'),
  clientSecret: required(anyText, 'proves who asks (basic authentication)'),
  timeout: option(duration, 'how long an answer is waited for', '2s'),
  cache: option(
    durationOrOff,
    'how long a good token is good without asking again, at most `60s`; `off`: every request asks',
    '60s',
  ),
  issuer: option(textOrOff, 'what `iss` has to be, where the answer says it. Default: not looked at'),
  audiences: option(audiences, 'one of these has to be in `aud`. Default: not looked at'),
  skew: option(duration, 'how much clocks may differ', '30s'),
  from: option(place, 'where the token stands. Default: `authorization: Bearer`'),
  forward: option(flag, '`off` takes the token out of the request', true),
  subject: option(claimPath, 'the member of the answer that says who calls', 'sub'),
  groups: option(claimPath, 'the member that lists groups; `a.b` goes into one that is a map'),
  claimHeaders: option(
    byFieldName(claimHeader, claimPath),
    'headers that tell the upstream what the answer says; clients cannot set them',
  ),
  revoked,
  exchange,
})

const ownPath = text('a path', { pattern: '^/' }, '/x', (value, shown) =>
  /^\/[A-Za-z0-9._~/-]+$/.test(value) && !/\/\/|\/\.\.?(\/|$)/.test(value)
    ? value
    : new Wrong(`expected a path such as \`/oidc/callback\`, got ${shown}`),
)
const ownPathOrRoot = text('a path', { pattern: '^/' }, '/', (value, shown) =>
  /^\/(?!\/)[A-Za-z0-9._~/-]*$/.test(value)
    ? value
    : new Wrong(`expected a path such as \`/bye\`, got ${shown}`),
)

const oidcProvider = section('a login provider', {
  issuer: required(keyUrl, 'where browsers log in; it says the rest at `/.well-known/openid-configuration`'),
  clientId: required(anyText, 'who we are to it'),
  clientSecret: option(anyText, 'proves that (basic authentication). Default: a public client'),
  scopes: option(list(anyText, 50), 'what is asked for; `offline_access` often brings refresh tokens', [
    'openid',
  ]),
  callback: option(
    ownPath,
    'the path that the issuer sends browsers back to, on the hosts whose routes use it',
    '/oidc/callback',
  ),
  logout: option(ownPath, 'the path that ends a session. Default: none does'),
  afterLogout: option(
    ownPathOrRoot,
    'the path that browsers are sent to then; the issuer has to know its URL',
  ),
  session: required(
    section('a session', {
      secret: required(
        list(anyText, 10),
        'what its cookies are encrypted with, at least 32 bytes; of several the first encrypts, all decrypt',
      ),
      idle: option(duration, 'how long it lasts without a request', '30m'),
      max: option(duration, 'how long it lasts from the login on', '8h'),
    }),
    'the session of a browser, in encrypted cookies',
  ),
  userinfo: option(
    flag,
    'asks the issuer for claims that its ID tokens do not have, at each login and refresh',
    false,
  ),
  relay: option(flag, "upstreams get the session's access token, as `authorization: Bearer`", false),
  subject: option(claimPath, 'the claim that says who calls', 'sub'),
  groups: option(claimPath, 'the claim that lists groups; `a.b` goes into a claim that is a map'),
  claimHeaders: option(
    byFieldName(claimHeader, claimPath),
    'headers that tell the upstream what a claim says; clients cannot set them',
  ),
  revoked,
  exchange,
})

const apiKeyProvider = section('an API key provider', {
  header: option(keyHeader, 'the header that holds the key'),
  cookie: option(cookieName, 'the cookie that holds it'),
})

const mtlsProvider = shorter(
  value => (value === true || value === 'on' ? {} : value),
  section('an mTLS provider', {}),
  [{ const: true }],
)

/** Of no text at all: what `sha256sum` makes of a variable that is not set. */
const OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

const sha256 = text('a SHA-256 digest', { pattern: '^[0-9a-f]{64}$' }, '0'.repeat(64), (value, shown) => {
  const digest = value.toLowerCase()
  if (digest === OF_NOTHING) return new Wrong('this is the digest of no text at all: an empty field would do')
  return /^[0-9a-f]{64}$/.test(digest)
    ? digest
    : new Wrong(
        `expected a SHA-256 digest of 64 hex digits, got ${/^.{0,20}$/.test(value) ? 'something else' : 'another text'}`,
        shown === '' ? undefined : '`outrigger keys new` makes a key and its digest',
      )
})

const basicProvider = section('a basic provider', {
  realm: option(anyText, 'what a browser shows', 'outrigger'),
  users: option(
    byName(nameText, section('a user', { sha256: option(sha256, 'digest of the password') })),
    'who may call, by name',
  ),
})

/** Providers that prove who is calling. */
export const authenticationSchema = section('authentication', {
  jwt: option(byName(nameText, jwtProvider), 'signed tokens'),
  introspection: option(
    byName(nameText, introspectionProvider),
    'tokens of which their issuer says whether they are good (RFC 7662)',
  ),
  oidc: option(byName(nameText, oidcProvider), 'logins of browsers (OpenID Connect)'),
  apiKey: option(byName(nameText, apiKeyProvider), 'keys of consumers'),
  mtls: option(
    byName(nameText, mtlsProvider),
    "client certificates that the listener's `tls.clients` accepts",
  ),
  basic: option(byName(nameText, basicProvider), 'names and passwords, for development'),
})
/** As it is written, after the schema has read it. */
export type WrittenAuthentication = z.infer<typeof authenticationSchema>

const KINDS = {
  jwt: option(referenceName, 'a JWT provider'),
  introspection: option(referenceName, 'an introspection provider'),
  oidc: option(referenceName, 'a login provider'),
  apiKey: option(referenceName, 'an API key provider'),
  mtls: option(referenceName, 'an mTLS provider'),
  basic: option(referenceName, 'a basic provider'),
}
const way = section('a provider', KINDS)

/** Who may call a route. */
export const authenticate = z.union([
  z.literal(false),
  section('authentication of a route', {
    ...KINDS,
    anyOf: option(list(way, 16), 'the first whose credential is in the request decides'),
    allOf: option(list(way, 16), 'each has to be there and good; at most one brings claims'),
    optional: option(flag, 'a request without any credential goes on, as nobody', false),
  }),
])
/** As it is written, after the schema has read it. */
export type WrittenAuthenticate = z.infer<typeof authenticate>

const expires = text('a date', { samples: ['2027-01-01', '2027-01-01T12:00:00Z'] }, 0, (value, shown) => {
  const whole = /^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : value
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(whole)
    ? Date.parse(whole)
    : Number.NaN
  return Number.isNaN(at) ? new Wrong(`expected a date such as \`2027-01-01\` (UTC), got ${shown}`) : at
})

/** The digest of a key. */
export const apiKeyDigest = section('an API key', {
  sha256: option(sha256, 'its SHA-256 digest; `outrigger keys new` prints both'),
  expires: option(expires, 'the day or moment from which on it is not accepted'),
  provider: option(referenceName, 'the only API key provider that accepts it. Default: each'),
})
