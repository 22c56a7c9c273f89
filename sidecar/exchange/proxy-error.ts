/**
 * Every reason for which Outrigger answers by itself, with the status and the title a client sees. The code is stable:
 * it stands in the problem body, in the access log, in the metric and in the reference, which is generated from here.
 *
 * `side` says who failed: the client (`downstream`), the service behind us (`upstream`), or we (`internal`).
 */
export const REASONS = {
  bad_request: { status: 400, side: 'downstream', title: 'The request is malformed or ambiguous' },
  bad_path: { status: 400, side: 'downstream', title: 'The request path cannot be read in one way only' },
  bad_host: { status: 400, side: 'downstream', title: 'The request names no valid host' },
  body_aborted: { status: 400, side: 'downstream', title: 'The request body ended too early' },
  forbidden_host: { status: 421, side: 'downstream', title: 'This listener does not serve that host' },
  credentials_missing: { status: 401, side: 'downstream', title: 'The request needs credentials' },
  credentials_invalid: { status: 401, side: 'downstream', title: 'The credentials are not accepted' },
  token_expired: { status: 401, side: 'downstream', title: 'The token has expired' },
  forbidden: { status: 403, side: 'downstream', title: 'Who is calling may not call this' },
  cors_refused: { status: 403, side: 'downstream', title: 'The origin may not use this resource' },
  tunnel_refused: { status: 403, side: 'downstream', title: 'No tunnel goes to that address' },
  origin_refused: { status: 403, side: 'downstream', title: 'The origin may not open a WebSocket here' },
  upgrade_refused: { status: 403, side: 'downstream', title: 'The route does not allow this protocol' },
  no_route: { status: 404, side: 'downstream', title: 'No route matches the request' },
  method_not_allowed: { status: 405, side: 'downstream', title: 'The resource does not have this method' },
  request_timeout: { status: 408, side: 'downstream', title: 'The request did not arrive in time' },
  request_too_large: { status: 413, side: 'downstream', title: 'The request body is larger than allowed' },
  uri_too_long: { status: 414, side: 'downstream', title: 'The request target is longer than allowed' },
  expectation_failed: { status: 417, side: 'downstream', title: 'The expectation cannot be met' },
  rate_limited: { status: 429, side: 'downstream', title: 'A limit of requests is used up' },
  headers_too_large: {
    status: 431,
    side: 'downstream',
    title: 'The request has too many or too large header fields',
  },
  client_gone: {
    status: 499,
    side: 'downstream',
    title: 'The client closed the connection before the answer',
  },
  internal: { status: 500, side: 'internal', title: 'Outrigger failed' },
  method_unknown: { status: 501, side: 'downstream', title: 'The method is not known' },
  unknown_host: { status: 502, side: 'downstream', title: 'No route is known for that host' },
  upstream_connect_failed: { status: 502, side: 'upstream', title: 'The upstream could not be reached' },
  upstream_tls_failed: {
    status: 502,
    side: 'upstream',
    title: 'The upstream did not prove to be the one expected',
  },
  upstream_reset: {
    status: 502,
    side: 'upstream',
    title: 'The upstream closed the connection before it answered',
  },
  upstream_bad_response: { status: 502, side: 'upstream', title: 'The upstream sent an invalid response' },
  upstream_aborted: { status: 502, side: 'upstream', title: 'The upstream ended its response too early' },
  upstream_unresolved: {
    status: 503,
    side: 'upstream',
    title: 'The name of the upstream could not be resolved',
  },
  fault_injected: { status: 503, side: 'internal', title: 'The route makes trouble on purpose' },
  no_endpoint: {
    status: 503,
    side: 'upstream',
    title: 'The upstream has no endpoint that can take requests',
  },
  circuit_open: { status: 503, side: 'upstream', title: 'The upstream fails and is left alone for a while' },
  upstream_overloaded: {
    status: 503,
    side: 'upstream',
    title: 'Too many requests are in flight to the upstream',
  },
  identity_provider_unavailable: {
    status: 503,
    side: 'internal',
    title: 'Who signs the credentials cannot be asked',
  },
  authorization_unavailable: {
    status: 503,
    side: 'internal',
    title: 'Whether the request may go on cannot be known',
  },
  rate_limit_unavailable: {
    status: 503,
    side: 'internal',
    title: 'Whether a limit is used up cannot be known',
  },
  overloaded: { status: 503, side: 'internal', title: 'Outrigger has no room for the request' },
  draining: { status: 503, side: 'internal', title: 'Outrigger is shutting down' },
  upstream_connect_timeout: {
    status: 504,
    side: 'upstream',
    title: 'The upstream did not accept a connection in time',
  },
  upstream_timeout: { status: 504, side: 'upstream', title: 'The upstream did not answer in time' },
  upstream_idle: { status: 504, side: 'upstream', title: 'The upstream stopped sending' },
  stream_timeout: { status: 504, side: 'upstream', title: 'The response took longer than allowed' },
  deadline_exceeded: {
    status: 504,
    side: 'downstream',
    title: 'The deadline that the caller set has passed',
  },
  http_version: { status: 505, side: 'downstream', title: 'The HTTP version is not supported' },
  loop_detected: { status: 508, side: 'downstream', title: 'The request has passed here too often' },
} as const satisfies Record<string, { status: number; side: ErrorSide; title: string }>

/** Who failed. */
export type ErrorSide = 'downstream' | 'upstream' | 'internal'
/** The code of a reason; see `REASONS`. */
export type Reason = keyof typeof REASONS

/**
 * Whether an attempt may be made again (docs/architecture.md, "Never processed"):
 * `never_processed`: the upstream cannot have seen the request, so any method may be repeated;
 * `reuse_race`: a pooled connection ended after our write without one byte, so idempotent methods may, once, on a new one;
 * `no`: anything may have happened.
 */
export type Repeatable = 'never_processed' | 'reuse_race' | 'no'

/**
 * An expected failure of an exchange. A value that is passed and returned on the data path, not thrown, which is why
 * it is no `Error` and carries no stack. `detail` may go to a client; `cause` (a Node error code, an address) goes to
 * the log only.
 */
export class ProxyError {
  readonly reason: Reason
  readonly detail: string
  readonly cause: string
  readonly repeatable: Repeatable
  /** Extra fields for the answer, e.g. `allow` of a 405. */
  readonly headers: string[] | null
  /** Extra members of the problem body (RFC 9457 section 3.2). */
  readonly members: Readonly<Record<string, unknown>> | null
  constructor(
    reason: Reason,
    detail = '',
    options: {
      cause?: string
      repeatable?: Repeatable
      headers?: string[]
      members?: Readonly<Record<string, unknown>>
    } = {},
  ) {
    this.reason = reason
    this.detail = detail
    this.cause = options.cause ?? ''
    this.repeatable = options.repeatable ?? 'no'
    this.headers = options.headers ?? null
    this.members = options.members ?? null
  }
  get status(): number {
    return REASONS[this.reason].status
  }
  get side(): ErrorSide {
    return REASONS[this.reason].side
  }
}
