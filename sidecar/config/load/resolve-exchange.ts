import type { ExchangeSpec } from '../../filters/authenticate/schema.ts'
import type { WrittenAuthentication } from './authentication-schema.ts'

type Written = NonNullable<WrittenAuthentication['jwt']>[string]['exchange']

/** Where a provider's tokens are exchanged; nothing where they are not. */
export function resolveExchange(written: Written): { readonly exchange?: ExchangeSpec } {
  if (written === undefined) return {}
  const {
    url,
    clientId,
    clientSecret,
    audience = null,
    resource = null,
    scopes = [],
    timeout = 2_000,
  } = written
  return {
    exchange: { url, clientId, clientSecret, audience, resource, scopes: [...new Set(scopes)], timeout },
  }
}
