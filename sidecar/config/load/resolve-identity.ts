import type {
  ApiKeyProvider,
  BasicProvider,
  ConsumerSpec,
  IdentitySpec,
  MtlsProvider,
  PlanSpec,
} from '../../filters/authenticate/schema.ts'
import type { WrittenAuthentication } from './authentication-schema.ts'
import { checkKeys } from './check-keys.ts'
import type { WrittenConsumer, WrittenPlans } from './consumers-schema.ts'
import { contentHash } from './hash.ts'
import { resolveIntrospection } from './resolve-introspection.ts'
import { resolveOidc } from './resolve-oidc.ts'
import { resolveJwtProvider } from './resolve-jwt.ts'
import type { Resolution } from './resolution.ts'

/** Providers, consumers and plans, made whole and checked against each other. */
export function resolveIdentity(
  written: {
    readonly authentication?: WrittenAuthentication | undefined
    readonly consumers?: readonly WrittenConsumer[] | undefined
    readonly plans?: WrittenPlans | undefined
  },
  resolution: Resolution,
): IdentitySpec {
  const { authentication = {} } = written
  const providers = {
    jwt: mapped(authentication.jwt, (name, one) => resolveJwtProvider(name, one, resolution)),
    introspection: mapped(authentication.introspection, (name, one) =>
      resolveIntrospection(name, one, resolution),
    ),
    oidc: mapped(authentication.oidc, (name, one) => resolveOidc(name, one, resolution)),
    apiKey: mapped(authentication.apiKey, (name, one): ApiKeyProvider => {
      if ((one.header === undefined) === (one.cookie === undefined) && !resolution.partial) {
        const path = ['authentication', 'apiKey', name]
        resolution.fault(
          path,
          'expected one of `header` and `cookie`: where the key stands',
          undefined,
          'key',
        )
      }
      const { header = '', cookie } = one
      return {
        name,
        from: cookie === undefined ? { kind: 'header', name: header } : { kind: 'cookie', name: cookie },
      }
    }),
    mtls: mapped(authentication.mtls, (name): MtlsProvider => ({ name })),
    basic: mapped(authentication.basic, (name, { realm = 'outrigger', users = {} }): BasicProvider => {
      const digests = Object.entries(users).map(([user, { sha256 }]) => {
        if (sha256 === undefined && !resolution.partial) {
          const path = ['authentication', 'basic', name, 'users', user]
          resolution.fault(path, '`sha256` is missing: the digest of the password', undefined, 'key')
        }
        return [user, sha256 ?? ''] as const
      })
      return { name, realm, users: Object.fromEntries(digests) }
    }),
  }
  uniqueNames(providers, resolution)
  const plans = Object.entries(written.plans ?? {}).map(([name, plan]): PlanSpec => ({
    name,
    groups: plan.groups ?? [],
    when: plan.when ?? null,
  }))
  const consumers = (written.consumers ?? []).map((consumer, index) =>
    resolveConsumer(consumer, ['consumers', index], { providers, plans, resolution }),
  )
  if (!resolution.partial && resolution.secrets) {
    checkOneName(consumers, resolution)
    checkKeys(consumers, resolution)
  }
  return { providers, consumers, plans, digest: contentHash({ consumers, plans }) }
}

type Providers = IdentitySpec['providers']

function mapped<W, R>(
  written: Readonly<Record<string, W>> | undefined,
  make: (name: string, one: W) => R,
): Record<string, R> {
  return Object.fromEntries(Object.entries(written ?? {}).map(([name, one]) => [name, make(name, one)]))
}

/** A caller without an entry is called after its provider: two of one name would be one. */
function uniqueNames(providers: Providers, resolution: Resolution): void {
  const taken = new Map<string, string>()
  for (const [kind, named] of Object.entries(providers)) {
    for (const name of Object.keys(named)) {
      const first = taken.get(name)
      if (first !== undefined)
        resolution.fault(
          ['authentication', kind, name],
          `the provider name \`${name}\` is taken by authentication.${first}: callers are called after their provider`,
          undefined,
          'key',
        )
      else taken.set(name, kind)
    }
  }
}

/** Whose credentials say who calls in a claim. */
const CLAIMED = ['jwt', 'introspection', 'oidc'] as const

interface ConsumerSurroundings {
  readonly providers: Providers
  readonly plans: readonly PlanSpec[]
  readonly resolution: Resolution
}

function resolveConsumer(
  written: WrittenConsumer,
  path: readonly (string | number)[],
  { providers, plans, resolution }: ConsumerSurroundings,
): ConsumerSpec {
  const { name, groups = [], plan, apiKeys = [], jwt = [], spiffe = [], basic = [] } = written
  if (plan !== undefined && !plans.some(one => one.name === plan) && resolution.secrets) {
    resolution.fault([...path, 'plan'], `there is no plan \`${plan}\``)
  }
  const provider = (given: string | undefined, kind: 'jwt' | 'basic' | 'apiKey', at: typeof path): string => {
    const kinds = kind === 'jwt' ? CLAIMED : [kind]
    const names = kinds.flatMap(one => Object.keys(providers[one]))
    if (given !== undefined) {
      if (!names.includes(given) && !resolution.partial && resolution.secrets)
        resolution.fault([...at, 'provider'], `there is no provider \`${given}\` in authentication.${kind}`)
      return given
    }
    const [only, second] = names
    if (only === undefined && !resolution.partial)
      resolution.fault(
        at,
        `there is no provider in authentication.${kind} that could name it`,
        undefined,
        'key',
      )
    else if (second !== undefined)
      resolution.fault(at, `which provider? Say \`provider\`, one of: ${names.join(', ')}`, undefined, 'key')
    return only ?? ''
  }
  return {
    name,
    groups: [...new Set(groups)],
    plan: plan ?? null,
    apiKeys: apiKeys.map((key, index) => {
      const at = [...path, 'apiKeys', index]
      if (key.sha256 === undefined && !resolution.partial)
        resolution.fault(at, '`sha256` is missing in an API key')
      if (key.provider !== undefined) provider(key.provider, 'apiKey', at)
      return { sha256: key.sha256 ?? '', expires: key.expires ?? null, provider: key.provider ?? null }
    }),
    jwt: jwt.map((one, index) => ({
      provider: provider(one.provider, 'jwt', [...path, 'jwt', index]),
      subject: one.subject,
    })),
    spiffe: [...spiffe],
    basic: basic.map((one, index) => ({
      provider: provider(one.provider, 'basic', [...path, 'basic', index]),
      subject: one.user,
    })),
  }
}

/** One credential names one consumer, and one name is one consumer. */
function checkOneName(consumers: readonly ConsumerSpec[], resolution: Resolution): void {
  const named = new Map<string, string>()
  const once = (
    what: readonly string[],
    shown: string,
    consumer: ConsumerSpec,
    path: (string | number)[],
  ): void => {
    const key = JSON.stringify(what)
    const first = named.get(key)
    if (first !== undefined)
      resolution.fault(path, `${shown} names \`${first}\` already: one credential names one consumer`)
    else named.set(key, consumer.name)
  }
  const keys = new Map<string, { readonly provider: string | null; readonly name: string }[]>()
  const names = new Set<string>()
  for (const [index, consumer] of consumers.entries()) {
    const path = ['consumers', index]
    if (names.has(consumer.name))
      resolution.fault([...path, 'name'], `the consumer name \`${consumer.name}\` is taken`)
    names.add(consumer.name)
    for (const [at, { sha256, provider }] of consumer.apiKeys.entries()) {
      const others = keys.get(sha256) ?? []
      const twin = others.find(
        other => other.provider === null || provider === null || other.provider === provider,
      )
      if (twin !== undefined)
        resolution.fault(
          [...path, 'apiKeys', at],
          `this key names \`${twin.name}\` already: one credential names one consumer`,
        )
      keys.set(sha256, [...others, { provider, name: consumer.name }])
    }
    for (const [at, { provider, subject }] of consumer.jwt.entries())
      once(['token', provider, subject], `the subject \`${subject}\` of ${provider}`, consumer, [
        ...path,
        'jwt',
        at,
      ])
    for (const [at, id] of consumer.spiffe.entries())
      once(['spiffe', id], `\`${id}\``, consumer, [...path, 'spiffe', at])
    for (const [at, { provider, subject }] of consumer.basic.entries())
      once(['user', provider, subject], `the user \`${subject}\` of ${provider}`, consumer, [
        ...path,
        'basic',
        at,
      ])
  }
}
