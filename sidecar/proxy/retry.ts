import type { Exchange } from '../exchange/exchange.ts'
import { headerValue, type HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { Random } from '../runtime/random.ts'
import type { RetryPolicy } from '../snapshot/policies.ts'
import type { RetryCounts } from '../telemetry/recorder.ts'

/** Methods that may be repeated although an upstream may have seen the first (docs/architecture.md, "Never processed"). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** A service that wants to be left alone for longer than this is not waited for. */
const RETRY_AFTER_MOST_MS = 300_000

/** What has happened to an exchange so far. */
export interface RetryState {
  readonly method: string
  /** Whether the request can be sent again: no byte of its body is gone. */
  readonly replayable: boolean
  /** Retries made so far; the repetition after a reuse race is not one. */
  readonly retries: number
  /** Whether it was repeated already, outside of the policy. */
  readonly raced: boolean
  /** What the route allows; null: nothing. */
  readonly policy: RetryPolicy | null
}

/**
 * What follows an attempt that brought no whole head: a retry on an endpoint of choice, one repetition on a new
 * connection, or nothing. Never repeats what the upstream may have processed, except for methods where that does no harm.
 */
export function afterFailure(error: ProxyError, state: RetryState): 'retry' | 'repeat' | 'fail' {
  const { policy } = state
  if (!state.replayable) return 'fail'
  if (repeatsAtOnce(error, state.raced) && (isUnprocessed(error) || IDEMPOTENT.has(state.method)))
    return 'repeat'
  if (policy === null || state.retries >= policy.count) return 'fail'
  if (error.repeatable === 'never_processed') return 'retry'
  return error.side === 'upstream' && policy.methods.includes(state.method) ? 'retry' : 'fail'
}

/**
 * How many milliseconds after a response with this status the request is tried again at the earliest; -1 where the
 * response stands: its status or method is none of the policy's, or its `retry-after` asks for more patience than we have.
 *
 * @param wall milliseconds since 1970, for a `retry-after` that is a date
 */
export function afterStatus(
  status: number,
  headers: HeaderList,
  state: Omit<RetryState, 'raced'>,
  wall: () => number,
): number {
  const { policy } = state
  if (policy === null || !policy.methods.includes(state.method)) return -1
  if (conditionOf(status, headers, policy) === null) return -1
  if (!state.replayable || state.retries >= policy.count) return -1
  const wait = retryAfter(headerValue(headers, 'retry-after'), wall) ?? 0
  return wait > RETRY_AFTER_MOST_MS ? -1 : wait
}

/** Whether a response with this status may be tried again, before anything else of it is looked at. */
export function mayMatter(status: number, policy: RetryPolicy | null): boolean {
  return (
    status >= 400 || (policy !== null && (policy.grpcStatuses !== undefined || policy.headers !== undefined))
  )
}

/** Why a response is tried again: its status, gRPC's in its headers (never in trailers), or a field; null: it stands. */
export function conditionOf(status: number, headers: HeaderList, policy: RetryPolicy | null): string | null {
  if (policy === null) return null
  if (policy.statuses.includes(status)) return String(status)
  const { grpcStatuses, headers: names } = policy
  if (grpcStatuses !== undefined) {
    const grpc = headerValue(headers, 'grpc-status')
    if (grpc !== undefined && grpcStatuses.includes(Number(grpc))) return `grpc-status ${grpc}`
  }
  return names?.find(name => headerValue(headers, name) !== undefined) ?? null
}

/** `retry-after` (RFC 9110 section 10.2.3) as milliseconds from now; null where it is not there or cannot be read. */
export function retryAfter(value: string | undefined, wall: () => number): number | null {
  if (value === undefined) return null
  // RFC 9110 bounds neither digits nor value: a number too large for one is Infinity, which is no less patient.
  if (/^\d+$/.test(value)) return Number(value) * 1000
  // Only the form that a sender has to use (RFC 9110 section 5.6.7); `Date.parse` reads a lot more.
  if (!/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(value)) return null
  const date = Date.parse(value)
  return Number.isNaN(date) ? null : Math.max(0, date - wall())
}

/**
 * The pause before a retry: drawn evenly between 0 and a bound that doubles with each (full jitter), so that those who
 * failed together do not come again together.
 *
 * @param retry 1 for the first
 */
export function backoff(policy: RetryPolicy, retry: number, random: Random): number {
  const { from, to } = policy.backoff
  return random() * Math.min(to, from * 2 ** (retry - 1))
}

/**
 * Whether a failure is one that is repeated at once, outside of the policy: a lost reuse race, and a stream that its
 * peer gave back unprocessed, by a GOAWAY that leaves it out or by REFUSED_STREAM.
 *
 * @param raced whether the attempt was such a repetition itself
 */
export function repeatsAtOnce(error: ProxyError, raced: boolean): boolean {
  return !raced && (error.repeatable === 'reuse_race' || isUnprocessed(error))
}

function isUnprocessed({ reason, repeatable }: ProxyError): boolean {
  return reason === 'upstream_reset' && repeatable === 'never_processed'
}

/** Whether a request of this method may be repeated after a reuse race, so that its body is worth a copy. */
export function mayRepeat(method: string): boolean {
  return IDEMPOTENT.has(method)
}

/** What a retry is counted under. */
export function causeOf(error: ProxyError): keyof RetryCounts {
  if (error.repeatable === 'never_processed') return 'unprocessed'
  return error.reason === 'upstream_timeout' ? 'timeout' : 'failure'
}

/** Whether a second attempt may run beside a slow first one: only where both may be processed, and no protocol changes. */
export function mayHedge(policy: RetryPolicy | null, exchange: Exchange): boolean {
  return (
    policy !== null && policy.hedge !== null && exchange.tunnel === null && IDEMPOTENT.has(exchange.method)
  )
}
