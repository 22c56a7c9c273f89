import type {
  AuthenticatePolicy,
  IdentitySpec,
  ProviderKind,
  ProviderName,
} from '../../filters/authenticate/schema.ts'
import type { WrittenAuthenticate } from './authentication-schema.ts'
import { contentHash } from './hash.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { didYouMean } from './suggestion.ts'

const KINDS = ['jwt', 'introspection', 'oidc', 'apiKey', 'mtls', 'basic'] as const
/** Kinds whose credentials say more than a name. */
const CLAIMS: ReadonlySet<ProviderKind> = new Set(['jwt', 'introspection', 'oidc'])

/** Who may call a route; null: everybody. What is wrong is reported once, at the level where it was written. */
export function resolveAuthenticate(
  written: WrittenAuthenticate | undefined,
  path: ConfigPath,
  identity: IdentitySpec,
  resolution: Resolution,
): AuthenticatePolicy | null {
  if (written === undefined || written === false) return null
  const fault = (at: ConfigPath, message: string, suggestion?: string): void => {
    if (!resolution.partial) resolution.fault(at, message, suggestion, 'key')
  }
  const { anyOf, allOf, optional = false } = written
  const own = waysIn(written)
  const forms = [own.length > 0, anyOf !== undefined, allOf !== undefined].filter(Boolean).length
  if (forms !== 1)
    fault(
      path,
      'expected one of a provider (`jwt: main`), `anyOf` and `allOf`',
      'several providers are anyOf: [jwt: main, apiKey: clients]',
    )
  else if (own.length > 1)
    fault(
      path,
      `\`${own.map(one => one.kind).join('` and `')}\`: either one of them or all?`,
      'write anyOf: [...] or allOf: [...]',
    )
  const listed = anyOf ?? allOf
  const key = anyOf === undefined ? 'allOf' : 'anyOf'
  const ways: ProviderName[] = []
  for (const [index, member] of (listed ?? []).entries()) {
    const found = waysIn(member)
    if (found.length !== 1) fault([...path, key, index], 'expected one provider, such as `jwt: main`')
    ways.push(...found.slice(0, 1))
  }
  if (listed === undefined) ways.push(...own)
  else if (listed.length === 0) fault([...path, key], `\`${key}\` is empty: nobody could call`)
  for (const { kind, name } of ways) {
    const names = Object.keys(identity.providers[kind])
    if (names.includes(name) || !resolution.secrets) continue
    fault(path, `there is no provider \`${name}\` in authentication.${kind}`, didYouMean(name, names))
  }
  if (new Set(ways.map(one => JSON.stringify(one))).size < ways.length)
    fault(path, 'a provider stands here twice')
  if (allOf !== undefined && ways.filter(one => CLAIMS.has(one.kind)).length > 1)
    fault([...path, 'allOf'], 'two of these bring claims: whose would count?')
  if (anyOf !== undefined)
    checkPlaces(ways, identity, (message, suggestion) => fault([...path, 'anyOf'], message, suggestion))
  const named = ways.map(({ kind, name }) => comparable(identity.providers[kind][name] ?? null))
  return {
    mode: allOf === undefined ? 'any' : 'all',
    ways,
    optional,
    digest: contentHash([named, identity.digest]),
  }
}

type SomeProvider = IdentitySpec['providers'][ProviderKind][string]

/** What it is, a long list by its digest. */
function comparable(provider: SomeProvider | null): unknown {
  if (provider === null || !('digest' in provider)) return provider
  return { ...provider, revoked: provider.revoked?.digest }
}

/** The first whose credential is there decides: a second one that reads the same place would never be asked. */
function checkPlaces(
  ways: readonly ProviderName[],
  { providers }: IdentitySpec,
  fault: (message: string, suggestion: string) => void,
): void {
  const taken = new Map<string, ProviderName>()
  for (const way of ways) {
    const provider = providers[way.kind][way.name]
    if (provider === undefined) continue
    const from = 'from' in provider ? provider.from : null
    const place = JSON.stringify(from)
    // One that takes the whole field leaves nothing to those that look for a scheme in it.
    const scheme = from === null ? way.kind === 'basic' : from.kind === 'bearer'
    const first = (from === null ? undefined : taken.get(place)) ?? (scheme ? taken.get(WHOLE) : undefined)
    if (first !== undefined && first.name !== way.name)
      fault(
        `\`${first.kind}: ${first.name}\` and \`${way.kind}: ${way.name}\` read the same place: the second would never be asked`,
        first === taken.get(place)
          ? 'give one of them another place: from: { header: x-token }'
          : 'name the first one last, or give it another header',
      )
    if (from !== null) taken.set(place, way)
  }
}

const WHOLE = JSON.stringify({ kind: 'header', name: 'authorization' })

function waysIn(written: { readonly [kind in ProviderKind]?: string | undefined }): ProviderName[] {
  return KINDS.flatMap(kind => {
    const name = written[kind]
    return name === undefined ? [] : [{ kind, name }]
  })
}
