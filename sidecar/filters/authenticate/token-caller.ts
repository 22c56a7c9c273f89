import type { Caller } from '../../exchange/caller.ts'
import type { ConsumerDirectory } from './consumers.ts'
import type { TokenIdentity } from './jwt/claims.ts'

/** A credential that says who calls, with whose it is. */
export interface IdentifiedToken {
  readonly identity: TokenIdentity
  /** Whose it is, by the consumers whose digest stands in `directory`; null: not looked up yet. */
  caller: Caller | null
  directory: string
}

/** The caller of a token, kept with it as long as consumers and plans stay. */
export function callerOf(
  token: IdentifiedToken,
  { kind, name }: { readonly kind: Caller['method']; readonly name: string },
  consumers: ConsumerDirectory,
): Caller {
  if (token.caller !== null && token.directory === consumers.digest) return token.caller
  const { subject, groups, scopes, claims, expiresAt } = token.identity
  const consumer = subject === null ? undefined : consumers.bySubject(name, subject)
  token.directory = consumers.digest
  token.caller = consumers.caller(consumer, {
    method: kind,
    provider: name,
    subject,
    groups,
    scopes,
    claims,
    expiresAt,
  })
  return token.caller
}
