import { ProxyError } from '../../exchange/proxy-error.ts'
import type { Filter, FilterKind } from '../filter.ts'
import type { Identity } from './identity.ts'
import type { AuthenticatePolicy } from './schema.ts'

/** A route's policy with what it names. */
export interface AuthenticateSettings {
  readonly policy: AuthenticatePolicy
  readonly identity: Identity
}

/** Who is calling: proves it, or refuses. Sets `exchange.caller`. */
export const authenticateFilter: FilterKind<AuthenticateSettings> = {
  name: 'authenticate',
  create: (): Filter => ({
    name: 'authenticate',
    onRequest: () => new ProxyError('credentials_missing'),
  }),
}
