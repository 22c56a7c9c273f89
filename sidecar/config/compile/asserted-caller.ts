import {
  type Caller,
  type CallerMethod,
  claimAt,
  claimText,
  NO_CLAIMS,
  type Claims,
} from '../../exchange/caller.ts'
import { ConsumerDirectory } from '../../filters/authenticate/consumers.ts'
import type { ConsumerSpec, IdentitySpec } from '../../filters/authenticate/schema.ts'

/**
 * The caller that somebody would be, for what only explains: an entry of `consumers`, or `provider/subject`, or whoever
 * the claims name; text is why there is none.
 *
 * @param as null: the claims say it
 * @param claims of a token; null: none
 */
export function assertedCaller(
  identity: IdentitySpec,
  as: string | null,
  claims: Claims | null,
): Caller | string {
  const consumers = new ConsumerDirectory(identity)
  const slash = as?.indexOf('/') ?? -1
  const known = as === null || slash !== -1 ? undefined : identity.consumers.find(one => one.name === as)
  if (as !== null && slash === -1 && known === undefined)
    return `there is no consumer ${as}: there are ${names(identity.consumers.map(one => one.name))}; others are provider/subject`
  const tokens = Object.keys(identity.providers.jwt)
  const provider = slash === -1 ? (known?.jwt[0]?.provider ?? tokens[0]) : as?.slice(0, slash)
  if (provider === undefined && claims !== null) return 'there is no provider whose tokens have claims'
  if (as === null && tokens.length > 1)
    return `whose claims are these? Say --as PROVIDER/SUBJECT: ${names(tokens)}`
  const spec = provider === undefined ? undefined : identity.providers.jwt[provider]
  const method = methodOf(identity, provider, known)
  if (method === null) return `there is no provider ${provider}: there are ${names(providersOf(identity))}`
  const said = claims ?? NO_CLAIMS
  const subject = slash === -1 ? claimText(said, spec?.subject ?? 'sub') : (as ?? '').slice(slash + 1)
  const entry =
    known === undefined
      ? subject === null || provider === undefined
        ? undefined
        : (consumers.bySubject(provider, subject) ?? consumers.bySpiffe(subject))
      : consumers.byName(known.name)
  return consumers.caller(entry, {
    method,
    provider: provider ?? '',
    subject,
    groups: texts(spec?.groups == null ? undefined : claimAt(said, spec.groups)),
    scopes: texts(said['scope'] ?? said['scp']),
    claims: said,
    expiresAt: null,
  })
}

function providersOf({ providers }: IdentitySpec): string[] {
  return Object.values(providers).flatMap(named => Object.keys(named))
}

function methodOf(
  { providers }: IdentitySpec,
  provider: string | undefined,
  known: ConsumerSpec | undefined,
): CallerMethod | null {
  if (provider !== undefined) {
    for (const [kind, named] of Object.entries(providers)) {
      // The kinds of providers are the methods of callers.
      if (Object.hasOwn(named, provider)) return kind as CallerMethod
    }
    return null
  }
  return known !== undefined && known.spiffe.length > 0 && known.apiKeys.length === 0 ? 'mtls' : 'apiKey'
}

function names(list: readonly string[]): string {
  return list.length === 0 ? 'none' : list.join(', ')
}

function texts(claim: unknown): string[] {
  const list: unknown[] = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : []
  return list.filter(one => typeof one === 'string')
}
