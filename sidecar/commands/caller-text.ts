import type { Caller } from '../exchange/caller.ts'
import type { Exchange } from '../exchange/exchange.ts'

/** Who calls, without its claims: they may be anything, and what they decide is shown. */
export type ExplainedCaller = Omit<Caller, 'claims' | 'expiresAt'>

/** Who calls; null where nobody proved it. */
export function explainedCaller({ caller }: Exchange): ExplainedCaller | null {
  if (caller === null) return null
  const { claims: _, expiresAt: __, ...shown } = caller
  return shown
}

/** A caller in words, for people. */
export function callerText({ name, known, groups, plan }: ExplainedCaller): string {
  const more = [known ? 'a consumer' : 'no entry of consumers']
  if (groups.length > 0) more.push(`groups ${groups.join(', ')}`)
  if (plan !== null) more.push(`plan ${plan}`)
  return `${name} (${more.join('; ')})`
}
