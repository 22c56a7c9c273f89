import type { HoldingLimit } from '../config/compile/caller-limits.ts'
import { keySourcesText } from './key-text.ts'

/** A limit in words, for people; with the number that holds for some callers. */
export function limitText(
  { name, per, rate, scope, store, cost, costBy, lease, early }: HoldingLimit['spec'],
  quota: number,
): string {
  const parts = [rate.kind === 'concurrent' ? `${name} ${quota} at once` : `${name} ${quota} per ${per}`]
  if (rate.kind === 'bucket') parts.push(`burst ${rate.burst}`)
  if (costBy !== undefined) parts.push(`a request counts for ${costBy}, at most ${cost}`)
  else if (cost !== 1) parts.push(`a request counts for ${cost}`)
  const where = store === null ? '' : ` in ${store}${lease === undefined ? '' : `, ${lease} at a time`}`
  return `${parts.join(', ')} over ${scope}${where}${early === true ? ', before authentication' : ''}`
}

/** A limit that holds for a request's caller, with whom it counts. */
export function holdingLimitText({ spec, quota }: HoldingLimit): string {
  return `${limitText(spec, quota)}, by ${keySourcesText(spec.by)}`
}
