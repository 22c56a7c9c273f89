import type { Exchange } from '../../exchange/exchange.ts'
import { exchangeFixture } from '../../exchange/exchange-fixture.ts'
import type { Verdict } from '../filter.ts'
import { LiveFixture } from '../live-fixture.ts'
import { authenticateFilter } from './filter.ts'
import { compileIdentity } from './identity.ts'
import type { AuthenticatePolicy, ConsumerSpec, IdentitySpec, JwtProvider } from './schema.ts'

/** A provider of tokens of https://id.shop.example for `shop`, for unit tests. */
export function jwtFixture(some: Partial<JwtProvider> = {}): JwtProvider {
  const provider = {
    name: 'main',
    keys: { kind: 'set', keys: [] },
    algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    chosen: false,
    issuer: 'https://id.shop.example',
    audiences: ['shop'],
    expires: true,
    types: ['jwt', 'at+jwt'],
    skew: 30_000,
    from: { kind: 'bearer' },
    forward: true,
    subject: 'sub',
    groups: null,
    claimHeaders: [],
    proof: null,
    digest: '',
    ...some,
  } as const
  return { ...provider, digest: JSON.stringify(provider) }
}

/** An entry of `consumers` for unit tests. */
export function consumerFixture(some: Partial<ConsumerSpec>): ConsumerSpec {
  return { name: 'web', groups: [], plan: null, apiKeys: [], jwt: [], spiffe: [], basic: [], ...some }
}

/** Providers and consumers for unit tests. */
export function identityFixture(
  providers: Partial<IdentitySpec['providers']>,
  consumers: readonly ConsumerSpec[] = [],
  plans: IdentitySpec['plans'] = [],
): IdentitySpec {
  return {
    providers: { jwt: {}, introspection: {}, oidc: {}, apiKey: {}, mtls: {}, basic: {}, ...providers },
    consumers,
    plans,
    digest: JSON.stringify([consumers, plans]),
  }
}

/** Asks a compiled policy as a request would, again and again. */
export async function authenticates(
  spec: IdentitySpec,
  policy: Pick<AuthenticatePolicy, 'ways'> & Partial<AuthenticatePolicy>,
  live = new LiveFixture(),
): Promise<
  (
    headers?: string[],
    peer?: Partial<Exchange['peer']>,
  ) => Promise<{ verdict: Verdict; exchange: Exchange; waited: boolean }>
> {
  const identity = await compileIdentity(spec)
  const settings = { policy: { mode: 'any', optional: false, digest: '', ...policy } as const, identity }
  const filter = authenticateFilter.create(settings, { name: 'r' }, live)
  return async (headers = [], peer = {}) => {
    const exchange = exchangeFixture({
      headers,
      peer: {
        address: '192.0.2.9',
        port: 1,
        local: { address: '', port: 0 },
        encrypted: true,
        serverName: '',
        identity: null,
        ...peer,
      },
    })
    exchange.upstreamHeaders = [...headers]
    const answer = filter.onRequest?.(exchange)
    return { verdict: await answer, exchange, waited: answer instanceof Promise }
  }
}
