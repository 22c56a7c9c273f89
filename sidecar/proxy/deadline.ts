import type { Exchange } from '../exchange/exchange.ts'
import { grpcKind } from '../exchange/grpc-status.ts'
import { headerValue, setHeader } from '../exchange/headers.ts'

/** How gRPC says how long its caller waits: at most eight digits and a unit (gRPC over HTTP/2, "Requests"). */
const GRPC = 'grpc-timeout'
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
}
/** The largest number of milliseconds that eight digits hold. */
const GRPC_MOST = 99_999_999

/** How long a caller waits, as it says itself. */
export interface CallerDeadline {
  /** The field that says so and goes on reduced. */
  readonly field: string
  /** On the clock of `Exchange.startedAt`. */
  readonly at: number
  /** Whether it holds until the response's end, and not only until its head. */
  readonly whole: boolean
}

/**
 * The caller's own deadline, or null where it names none: `grpc-timeout` of a gRPC request, and the field that the
 * route's `timeout.header` names. A value that cannot be read is none, and passes as it is.
 */
export function callerDeadline(exchange: Exchange, header: string | null): CallerDeadline | null {
  const grpc = grpcKind(exchange) !== null ? read(exchange, GRPC, grpcTimeout) : null
  const plain = header === null ? null : read(exchange, header, milliseconds)
  if (grpc === null || plain === null) return grpc ?? plain
  return grpc.at < plain.at ? grpc : plain
}

/** Says upstream how many of the caller's milliseconds are left: whole ones, so that it ends no later than we. */
export function passDeadline(exchange: Exchange, field: string, left: number): void {
  const whole = Math.max(0, Math.floor(left))
  const value = field === GRPC ? `${Math.min(whole, GRPC_MOST)}m` : String(whole)
  setHeader(exchange.upstreamHeaders, field, value)
}

/** Reads `grpc-timeout` as milliseconds; null where it is none. */
export function grpcTimeout(text: string): number | null {
  const unit = UNITS[text.at(-1) ?? '']
  return unit !== undefined && /^\d{1,8}.$/.test(text) ? Number(text.slice(0, -1)) * unit : null
}

function milliseconds(text: string): number | null {
  return /^\d{1,10}$/.test(text) ? Number(text) : null
}

function read(
  exchange: Exchange,
  field: string,
  parse: (text: string) => number | null,
): CallerDeadline | null {
  // Of the list that goes upstream: what a connection or the listener has taken away says nothing.
  const value = headerValue(exchange.upstreamHeaders, field)
  const wait = value === undefined ? null : parse(value)
  return wait === null ? null : { field, at: exchange.startedAt + wait, whole: field === GRPC }
}
