import type { ProxyError } from '../exchange/proxy-error.ts'

/** Methods that may be repeated although an upstream may have seen the first (docs/architecture.md, "Never processed"). */
const REUSE_RACE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** What has happened to an exchange so far. */
export interface RetryState {
  readonly method: string
  /** Whether the request can be sent again: no byte of its body is gone. */
  readonly replayable: boolean
  /** Retries made so far; the repetition after a reuse race is not one. */
  readonly retries: number
  /** Whether the reuse race was lost once already. */
  readonly raced: boolean
  /** How many retries the route allows. */
  readonly allowed: number
}

/**
 * What follows a failed attempt: a retry on an endpoint of choice, one repetition on a new connection, or nothing.
 * Never repeats what the upstream may have processed, except for methods where that does no harm.
 */
export function afterFailure(error: ProxyError, state: RetryState): 'retry' | 'repeat' | 'fail' {
  if (!state.replayable) return 'fail'
  if (error.repeatable === 'never_processed') return state.retries < state.allowed ? 'retry' : 'fail'
  if (error.repeatable === 'reuse_race')
    return !state.raced && REUSE_RACE.has(state.method) ? 'repeat' : 'fail'
  return 'fail'
}

/** Whether a request of this method may be repeated after a reuse race, so that its body is worth a copy. */
export function mayRepeat(method: string): boolean {
  return REUSE_RACE.has(method)
}
