import { ProxyError } from '../exchange/proxy-error.ts'
import type { Breaker } from './breaker.ts'
import type { Member } from './member.ts'

/** How many endpoints a cause names; a line of the log is no inventory. */
const NAMED = 3

/** Why an upstream that has endpoints gives none of them: open breakers, else everything else, named for the log. */
export function unavailable(members: readonly Member[], now: number): ProxyError {
  const breakers = members.flatMap(({ breaker }) =>
    breaker === null || breaker.state === 'closed' ? [] : [breaker],
  )
  if (breakers.length > 0) return circuitOpen(breakers, now)
  const states = members.slice(0, NAMED).map(member => `${member.label} ${stateOf(member)}`)
  if (members.length > NAMED) states.push(`and ${members.length - NAMED} more`)
  return new ProxyError('no_endpoint', '', { cause: states.join(', '), repeatable: 'never_processed' })
}

/** Refused by a breaker. Says when the first of them lets a request through. */
export function circuitOpen(breakers: readonly Breaker[], now: number): ProxyError {
  const until = Math.min(...breakers.map(breaker => breaker.openUntil ?? now))
  const seconds = Math.max(1, Math.ceil((until - now) / 1000))
  return new ProxyError('circuit_open', '', {
    repeatable: 'never_processed',
    headers: ['retry-after', String(seconds)],
  })
}

function stateOf({ spec, check }: Member): string {
  if (spec.weight === 0) return 'has weight 0'
  return check === null || check.healthy ? 'is unhealthy' : `fails its check: ${check.fault}`
}
