import { type Caller, claimAt, isExact } from '../../exchange/caller.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { removeHeader, setHeader, toWire } from '../../exchange/headers.ts'

/** Who calls, for the upstream. Reserved on every listener: no client can set them. */
export const CONSUMER_NAME = 'x-consumer-name'
/** Its groups, with commas between them. */
export const CONSUMER_GROUPS = 'x-consumer-groups'

/**
 * Tells the upstream who calls. What a proxy in front said of that is replaced: who authenticates here, says it.
 * @param claimHeaders of the provider whose claims the caller has
 */
export function writeCaller(
  exchange: Exchange,
  caller: Caller | null,
  claimHeaders: readonly (readonly [header: string, claim: string])[],
): void {
  const headers = exchange.upstreamHeaders
  removeOthers(headers)
  write(headers, CONSUMER_NAME, caller === null ? null : caller.name)
  write(
    headers,
    CONSUMER_GROUPS,
    caller === null || caller.groups.length === 0 ? null : caller.groups.join(','),
  )
  for (const [header, claim] of claimHeaders)
    write(headers, header, caller === null ? null : textOf(claimAt(caller.claims, claim)))
}

const LOWER_A = 0x61
const LOWER_C = 0x63

/** Everything else that would be read as the word of who authenticated. */
function removeOthers(headers: string[]): void {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string // a name stands at every even index
    // Most names differ in a character that costs nothing to look at.
    const third = name.charCodeAt(2)
    if (third !== LOWER_C && third !== LOWER_A) continue
    if (!name.startsWith('x-consumer-') && name !== 'x-anonymous-consumer') continue
    removeHeader(headers, name)
    i -= 2
  }
}

/** What would not arrive as it is (blanks at an end, control characters) is left out: it could be another one's. */
function write(headers: string[], name: string, value: string | null): void {
  const wire = value === null || value !== value.trim() ? null : toWire(value)
  if (wire === null) removeHeader(headers, name)
  else setHeader(headers, name, wire)
}

/** A claim as a field value: a list of texts with commas, a map as JSON. Null where a number in it was rounded: it is another one's. */
function textOf(claim: unknown): string | null {
  if (typeof claim === 'string') return claim
  if (claim === undefined || claim === null) return null
  if (Array.isArray(claim) && claim.every(one => typeof one === 'string' && !one.includes(',')))
    return claim.join(',')
  let exact = true
  const text = JSON.stringify(claim, (_, value: unknown) => {
    if (typeof value === 'number') exact &&= isExact(value)
    return value
  })
  return exact ? text : null
}
