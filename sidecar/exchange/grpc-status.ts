import type { Exchange } from './exchange.ts'
import { headerValue, toWire } from './headers.ts'
import type { ProxyError } from './proxy-error.ts'

/** The status codes of gRPC (grpc/grpc, doc/statuscodes.md). */
export const GRPC_NAMES = [
  'ok',
  'cancelled',
  'unknown',
  'invalid-argument',
  'deadline-exceeded',
  'not-found',
  'already-exists',
  'permission-denied',
  'resource-exhausted',
  'failed-precondition',
  'aborted',
  'out-of-range',
  'unimplemented',
  'internal',
  'unavailable',
  'data-loss',
  'unauthenticated',
] as const

const INVALID_ARGUMENT = 3
const DEADLINE_EXCEEDED = 4
const PERMISSION_DENIED = 7
const RESOURCE_EXHAUSTED = 8
const UNIMPLEMENTED = 12
const INTERNAL = 13
const UNAVAILABLE = 14
const UNAUTHENTICATED = 16

/** What each of our reasons is in gRPC. A client's library tries `unavailable` again, so that it stands for nothing else. */
const OF_REASON: Readonly<Record<string, number>> = {
  bad_request: INVALID_ARGUMENT,
  bad_path: INVALID_ARGUMENT,
  bad_host: INVALID_ARGUMENT,
  body_aborted: INVALID_ARGUMENT,
  uri_too_long: INVALID_ARGUMENT,
  expectation_failed: INVALID_ARGUMENT,
  credentials_missing: UNAUTHENTICATED,
  credentials_invalid: UNAUTHENTICATED,
  token_expired: UNAUTHENTICATED,
  forbidden: PERMISSION_DENIED,
  cors_refused: PERMISSION_DENIED,
  forbidden_host: PERMISSION_DENIED,
  no_route: UNIMPLEMENTED,
  unknown_host: UNIMPLEMENTED,
  method_not_allowed: UNIMPLEMENTED,
  method_unknown: UNIMPLEMENTED,
  request_timeout: DEADLINE_EXCEEDED,
  upstream_timeout: DEADLINE_EXCEEDED,
  stream_timeout: DEADLINE_EXCEEDED,
  deadline_exceeded: DEADLINE_EXCEEDED,
  request_too_large: RESOURCE_EXHAUSTED,
  headers_too_large: RESOURCE_EXHAUSTED,
  rate_limited: RESOURCE_EXHAUSTED,
  client_gone: 1,
  upstream_bad_response: INTERNAL,
  internal: INTERNAL,
  loop_detected: INTERNAL,
}

/** The gRPC status of an error of ours: what is not said above is that somebody is not there. */
export function grpcStatusOf(reason: string): number {
  return OF_REASON[reason] ?? UNAVAILABLE
}

/**
 * The HTTP status that says of an endpoint what this gRPC status says of it, for those who judge endpoints: only what
 * lies with the server, and not with the call (Envoy's table for outlier detection is the same).
 */
export function httpStatusOf(grpc: number): number {
  switch (grpc) {
    case 2:
    case INTERNAL:
    case 15:
      return 500
    case DEADLINE_EXCEEDED:
      return 504
    case RESOURCE_EXHAUSTED:
      return 429
    case UNAVAILABLE:
      return 503
    default:
      return 200
  }
}

/** `grpc-message` of an error of ours: the reason, so that it can be found, then what a person reads. */
export function grpcMessage(error: ProxyError, title: string): string {
  const text = `${error.reason}: ${error.detail === '' ? title : error.detail}`
  // Percent-encoded UTF-8 (gRPC over HTTP/2, "Status-Message").
  return (toWire(text.replaceAll('%', '%25')) ?? error.reason).replaceAll(
    /[^\x20-\x7e]/g,
    byte => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

const GRPC_TYPE = /^application\/grpc(?:$|[+; ])/i
const GRPC_WEB_TYPE = /^application\/grpc-web(?:-text)?(?:$|[+; ])/i

/** What kind of gRPC call a request is. Always a POST, so that other methods are not looked at. */
export function grpcKind(exchange: Exchange): 'grpc' | 'grpc-web' | null {
  if (exchange.method !== 'POST') return null
  const type = headerValue(exchange.headers, 'content-type')
  // Most types are told by their thirteenth character.
  if (type === undefined || type.length < 16) return null
  if (GRPC_TYPE.test(type)) return 'grpc'
  return GRPC_WEB_TYPE.test(type) ? 'grpc-web' : null
}
