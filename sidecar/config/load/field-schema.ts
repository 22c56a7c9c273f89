import { isReserved, RESERVED } from '../../exchange/reserved-names.ts'
import { type FieldRole, fieldRole } from '../../proxy/reserved-headers.ts'
import { TOKEN } from './match-schema.ts'
import { text, Wrong } from './scalars.ts'

const SHAPE = { pattern: TOKEN.source }

/** Headers in which a proxy that logs people in hands their tokens on. A token proves itself, whoever wrote the field. */
const TOKENS_OF_PROXIES = new Set(['x-auth-request-access-token', 'x-forwarded-access-token'])

/** A header that holds an API key and nothing else. */
export const keyHeader = text('a header name', SHAPE, 'x', (value, shown) =>
  readCredential(value, shown, false),
)

/** A header that holds a token and nothing else. */
export const tokenHeader = text('a header name', SHAPE, 'x', (value, shown) =>
  readCredential(value, shown, true),
)

function readCredential(value: string, shown: string, token: boolean): string | Wrong {
  const name = value.toLowerCase()
  if (!TOKEN.test(value)) return new Wrong(`${shown} is no header name`)
  if (name === 'cookie')
    return new Wrong('`cookie` holds all cookies together', `write: cookie: ${token ? 'token' : 'key'}`)
  const role = fieldRole(name)
  const other = token ? 'x-token' : 'x-api-key'
  if (ofMessage(name, role))
    return new Wrong(
      `\`${name}\` belongs to the connection or the message: no credential arrives in it`,
      `write: header: ${other}`,
    )
  if (role === null || name === 'authorization' || (token && TOKENS_OF_PROXIES.has(name))) return name
  return role === 'singleton'
    ? new Wrong(`\`${name}\` says something else, to everybody on the way`, `write: header: ${other}`)
    : new Wrong(
        `\`${name}\` is what proxies say of a request: they write it anew or take it away`,
        `write: header: ${other}`,
      )
}

/** A header that requests are counted, split or hashed by. */
export const countedHeader = text('a header name', SHAPE, 'x', (value, shown) => {
  const name = value.toLowerCase()
  if (!TOKEN.test(value)) return new Wrong(`${shown} is no header name`)
  return ofMessage(name, fieldRole(name)) && name !== 'host'
    ? new Wrong(`\`${name}\` belongs to the connection or the message, and says nothing of who sends it`)
    : name
})

/** Whether a field ends here, or frames the message that it stands in. */
function ofMessage(name: string, role: FieldRole | null): boolean {
  return role === 'hop' || role === 'te' || name === 'trailer' || name === 'date'
}

/** A header that tells upstreams something of the caller: reserved from then on, so it must not be one that means something else. */
export const callerHeader = text('a header name', {}, 'x-user-id', readCallerHeader)

function readCallerHeader(value: string, shown: string): string | Wrong {
  const name = value.toLowerCase()
  if (!/^[a-z0-9-]+$/.test(name)) return new Wrong(`${shown} is no header name of letters, digits and \`-\``)
  if (isReserved(name) || name.startsWith('x-')) return name
  return new Wrong(
    `${shown} may mean something else to others: a header for a claim begins with \`x-\``,
    `write: x-${name}`,
  )
}

/** What services read as the word of the proxy about a request, beside the reserved names; not of an issuer about somebody. */
const OF_THE_PROXY = new RegExp(
  [
    '^x-forwarded-(by|client-cert|for|host|method|port|prefix|proto|scheme|server|ssl|uri)$',
    '^x-client-(cert|ip|verify)',
    '^(x-amzn-mtls|x-envoy|x-spiffe|x-ssl|x-tls-client|ssl-client)-',
    '^x-consumer-(name|groups)$',
    '^x-request-id$',
  ].join('|'),
)
const OF_SOMEBODY = new Set(['remote-user', 'x-remote-user'])

/** A header for a claim. */
export const claimHeader = text('a header name', {}, 'x-user-id', (value, shown) => {
  const name = readCallerHeader(value, shown)
  if (name instanceof Wrong || OF_SOMEBODY.has(name)) return name
  return OF_THE_PROXY.test(name) || RESERVED.includes(name)
    ? new Wrong(
        `\`${name}\` is what services take for the word of the proxy, and a claim is the word of an issuer`,
      )
    : name
})
