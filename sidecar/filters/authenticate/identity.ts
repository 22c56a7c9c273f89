import { loadExpressions } from '../../exchange/expression/expression.ts'
import { ConsumerDirectory } from './consumers.ts'
import { type Jose, loadJose } from './jwt/jose.ts'
import { loadOpenId, type OpenId } from './oidc/openid.ts'
import type { IdentitySpec, JwtProvider, ProviderSpecs } from './schema.ts'

/** Everything that says who may be calling, compiled: once a configuration, for all its routes. */
export interface Identity {
  readonly providers: ProviderSpecs
  readonly consumers: ConsumerDirectory
  /** Headers for claims: no client can set them, on any listener. */
  readonly reserved: ReadonlySet<string>
  /** Null where no provider needs it. */
  readonly jose: Jose | null
  /** Null where no provider needs it. */
  readonly openid: OpenId | null
}

/** Compiles it, and loads what its providers need: before anything serves, so that no request waits for it. */
export async function compileIdentity(spec: IdentitySpec): Promise<Identity> {
  // Before the plans are compiled.
  if (spec.plans.some(plan => plan.when !== null)) await loadExpressions()
  const { jwt, introspection, oidc } = spec.providers
  const logins = Object.keys(oidc).length > 0
  const tokens = logins || Object.keys(jwt).length > 0
  return {
    providers: spec.providers,
    reserved: new Set(
      [jwt, introspection, oidc]
        .flatMap(named => Object.values<{ readonly claimHeaders: JwtProvider['claimHeaders'] }>(named))
        .flatMap(({ claimHeaders }) => claimHeaders.map(([name]) => name)),
    ),
    consumers: new ConsumerDirectory(spec),
    jose: tokens ? await loadJose() : null,
    openid: logins ? await loadOpenId() : null,
  }
}
