import { compileRanges } from '../../exchange/address-ranges.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { compileExpression } from '../../exchange/expression/expression.ts'
import { isOneOf } from '../../exchange/peer-identity.ts'
import type { AuthorizeConditions } from './schema.ts'

/** The condition that a request does not meet; null: it meets all. */
export type Rule = (exchange: Exchange) => Unmet | null

/** The key of a condition in the policy; `empty`: there is none at all, which nobody meets. */
export type Unmet = 'allow' | 'deny' | 'peers' | 'groups' | 'scopes' | 'when' | 'empty'

type Condition = readonly [name: Unmet, holds: (exchange: Exchange) => boolean]

/** Compiles conditions: every one has to hold, and none at all never does. */
export function compileRule({ allow, deny, peers, groups, scopes, when }: AuthorizeConditions): Rule {
  const conditions: Condition[] = []
  if (allow !== undefined) conditions.push(['allow', fromRanges(allow)])
  if (deny !== undefined) conditions.push(['deny', outsideOf(deny)])
  if (peers !== null) conditions.push(['peers', fromPeers(new Set(peers))])
  if (groups !== null) conditions.push(['groups', inGroups(new Set(groups))])
  if (scopes !== null) conditions.push(['scopes', withScopes(scopes)])
  if (when !== null) conditions.push(['when', whileTrue(when)])
  if (conditions.length === 0) return () => 'empty'
  return exchange => {
    for (const [name, holds] of conditions) if (!holds(exchange)) return name
    return null
  }
}

function fromRanges(ranges: readonly string[]): Condition[1] {
  const within = compileRanges(ranges)
  return ({ clientAddress }) => within(clientAddress)
}

/** Somebody whose address is not known may be anybody. */
function outsideOf(ranges: readonly string[]): Condition[1] {
  const within = compileRanges(ranges)
  return ({ clientAddress }) => clientAddress !== '' && !within(clientAddress)
}

function whileTrue(expression: string): Condition[1] {
  const compiled = compileExpression(expression)
  return exchange => compiled.holds(exchange)
}

function fromPeers(names: ReadonlySet<string>): Condition[1] {
  return ({ peer }) => peer.identity !== null && isOneOf(peer.identity, names)
}

function inGroups(names: ReadonlySet<string>): Condition[1] {
  return ({ caller }) => caller !== null && caller.groups.some(group => names.has(group))
}

/** An empty list is a rule that nothing meets, not one that everything does. */
function withScopes(scopes: readonly string[]): Condition[1] {
  return ({ caller }) =>
    caller !== null && scopes.length > 0 && scopes.every(scope => caller.scopes.includes(scope))
}
