import type { Clock } from '../../runtime/clock.ts'
import type { FilterLive } from '../filter.ts'
import { ApiKeys } from './api-key/provider.ts'
import { BasicUsers } from './basic/provider.ts'
import type { Identity } from './identity.ts'
import { IntrospectedTokens } from './introspection/provider.ts'
import { Tokens } from './jwt/provider.ts'
import { ClientCertificates } from './mtls/provider.ts'
import { BrowserSessions } from './oidc/provider.ts'
import type { Provider } from './provider.ts'
import type { ProviderName } from './schema.ts'

/** The provider that a route names. @throws Error where it is not there, which the loader has checked */
export function openProvider({ kind, name }: ProviderName, identity: Identity, live: FilterLive): Provider {
  const { providers, consumers } = identity
  switch (kind) {
    case 'jwt':
      return new Tokens(there(providers.jwt[name], name), identity, live)
    case 'introspection':
      return new IntrospectedTokens(there(providers.introspection[name], name), consumers, live)
    case 'oidc':
      return new BrowserSessions(there(providers.oidc[name], name), identity, live)
    case 'apiKey':
      return new ApiKeys(there(providers.apiKey[name], name), consumers, clockOf(live))
    case 'mtls':
      return new ClientCertificates(there(providers.mtls[name], name), consumers)
    case 'basic':
      return new BasicUsers(there(providers.basic[name], name), consumers)
  }
}

function there<T>(provider: T | undefined, name: string): T {
  if (provider === undefined) throw new Error(`the provider ${name} was checked and is not there`)
  return provider
}

function clockOf(live: FilterLive): Clock {
  return live.use(
    ['clock'],
    ({ clock }) => clock,
    () => {},
  )
}
