import type { OidcProvider } from '../../filters/authenticate/schema.ts'
import type { WrittenAuthentication } from './authentication-schema.ts'
import { contentHash } from './hash.ts'
import { resolveExchange } from './resolve-exchange.ts'
import { resolveRevoked } from './resolve-revoked.ts'
import type { Resolution } from './resolution.ts'

type Written = NonNullable<WrittenAuthentication['oidc']>[string]

const MIN_SECRET = 32

/** A provider of logins. */
export function resolveOidc(name: string, written: Written, resolution: Resolution): OidcProvider {
  const path = ['authentication', 'oidc', name]
  const { session, logout = null, afterLogout = null } = written
  const { idle = 30 * 60_000, max = 8 * 3_600_000, secret: secrets } = session
  const scopes = written.scopes ?? ['openid']
  const callback = written.callback ?? '/oidc/callback'
  const fault = (at: readonly string[], message: string, suggestion?: string): void => {
    if (!resolution.partial && resolution.secrets)
      resolution.fault([...path, ...at], message, suggestion, 'key')
  }
  if (secrets.length === 0) fault(['session', 'secret'], '`secret` is empty')
  for (const secret of secrets)
    if (Buffer.byteLength(secret) < MIN_SECRET)
      fault(
        ['session', 'secret'],
        `the secret is shorter than ${MIN_SECRET} bytes: whoever guesses it could log in as anybody`,
        'openssl rand -base64 32 makes one',
      )
  if (idle > max) fault(['session', 'idle'], '`idle` is longer than `max`, which ends every session')
  if (!scopes.includes('openid')) fault(['scopes'], '`scopes` need `openid`: without it nobody is named')
  if (logout === callback) fault(['logout'], '`logout` and `callback` are one path')
  if (afterLogout !== null && logout === null) fault(['afterLogout'], '`afterLogout` needs `logout`')
  const provider = {
    name,
    issuer: written.issuer,
    clientId: written.clientId,
    clientSecret: written.clientSecret ?? null,
    scopes: [...new Set(scopes)],
    callback,
    logout,
    afterLogout,
    secrets,
    userinfo: written.userinfo ?? false,
    relay: written.relay === true || written.exchange !== undefined,
    idle,
    max,
    subject: written.subject ?? 'sub',
    groups: written.groups ?? null,
    claimHeaders: Object.entries(written.claimHeaders ?? {}),
    ...resolveExchange(written.exchange),
  }
  return { ...provider, digest: contentHash(provider), ...resolveRevoked(written.revoked, path, resolution) }
}
