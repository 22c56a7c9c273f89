import type { RequestOptions } from 'node:http'
import { askAdmin } from './admin-client.ts'

/** How an upstream is in a running process at this moment: what `/upstreams` says of it. */
export interface LiveUpstream {
  /** Whether health counts. */
  readonly health: string
  /** Of a breaker of the whole upstream. */
  readonly circuitBreaker?: string
  /** What was written, and what the last answer about it said where it failed. */
  readonly names: readonly { readonly written: string; readonly error: string }[]
  readonly endpoints: readonly {
    readonly address: string
    readonly state: string
    /** The reason of the state, in words. */
    readonly why: string
    readonly inFlight: number
  }[]
}

/** Asks a running process for an upstream. @returns in words why it cannot be told */
export async function liveUpstream(target: RequestOptions, name: string): Promise<LiveUpstream | string> {
  const answer = await askAdmin(target, '/upstreams')
  if (typeof answer === 'string') return answer
  if (answer.status !== 200) return `status ${answer.status}`
  const upstreams = parsed(answer.body)
  if (upstreams === null) return 'its answer is not that of an Outrigger'
  const found = upstreams.find(one => one.name === name)
  return found ?? `it has no upstream ${name}: it runs another configuration`
}

/** A live upstream as lines of a label and a text each. */
export function liveLines({
  health,
  circuitBreaker,
  names,
  endpoints,
}: LiveUpstream): [label: string, text: string][] {
  const lines: [string, string][] = []
  if (health !== 'counts') lines.push(['health', health])
  if (circuitBreaker !== undefined) lines.push(['breaker', circuitBreaker])
  for (const { written, error } of names) if (error !== '') lines.push(['source', `${written}: ${error}`])
  for (const { address, why, inFlight } of endpoints)
    lines.push(['endpoint', `${address} ${why}; ${inFlight} in flight`])
  if (endpoints.length === 0) lines.push(['endpoint', 'none'])
  return lines
}

function parsed(body: string): (LiveUpstream & { readonly name: string })[] | null {
  try {
    const value: unknown = JSON.parse(body)
    // An Outrigger of this version answers so; of anything else it is not even a list.
    return Array.isArray(value) ? (value as (LiveUpstream & { readonly name: string })[]) : null
  } catch {
    return null
  }
}
