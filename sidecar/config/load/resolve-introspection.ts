import type { IntrospectionProvider } from '../../filters/authenticate/schema.ts'
import type { WrittenAuthentication } from './authentication-schema.ts'
import { contentHash } from './hash.ts'
import { placeOf } from './resolve-jwt.ts'
import { resolveExchange } from './resolve-exchange.ts'
import { resolveRevoked } from './resolve-revoked.ts'
import type { Resolution } from './resolution.ts'

type Written = NonNullable<WrittenAuthentication['introspection']>[string]

const MAX_CACHE = 60_000

/** A provider that asks the issuer about each token. */
export function resolveIntrospection(
  name: string,
  written: Written,
  resolution: Resolution,
): IntrospectionProvider {
  const path = ['authentication', 'introspection', name]
  const { url, clientId, clientSecret, cache = MAX_CACHE } = written
  const comparable = !resolution.partial && resolution.secrets
  if (comparable && cache !== null && cache > MAX_CACHE)
    resolution.fault(
      [...path, 'cache'],
      '`cache` is at most 60s: a token that was revoked is good for so long',
    )
  if (comparable && written.audiences?.length === 0)
    resolution.fault([...path, 'audiences'], '`audiences` is empty: no token could pass', undefined, 'key')
  const provider = {
    name,
    url,
    clientId,
    clientSecret,
    timeout: written.timeout ?? 2_000,
    cache: cache ?? 0,
    issuer: written.issuer ?? null,
    audiences: written.audiences ?? null,
    expires: false,
    skew: written.skew ?? 30_000,
    from: placeOf(written.from, [...path, 'from'], resolution),
    forward: written.forward ?? written.exchange === undefined,
    subject: written.subject ?? 'sub',
    groups: written.groups ?? null,
    claimHeaders: Object.entries(written.claimHeaders ?? {}),
    ...resolveExchange(written.exchange),
  }
  return { ...provider, digest: contentHash(provider), ...resolveRevoked(written.revoked, path, resolution) }
}
