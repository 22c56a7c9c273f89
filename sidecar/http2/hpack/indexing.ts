/**
 * What becomes of a field whose value is not in the table:
 * - `never`: a literal that nobody on the way may index, since a secret in a table shared with others can be guessed piece
 *   by piece (RFC 7541 section 7.1.3);
 * - `plain`: a literal that is not indexed, for values that hardly come again;
 * - `adaptive`: indexed, until it turns out that its values do not come again.
 */
export type Indexing = 'never' | 'plain' | 'adaptive'

const NEVER: ReadonlySet<string> = new Set([
  'authentication-info',
  'authorization',
  'cookie',
  'proxy-authentication-info',
  'proxy-authorization',
  'set-cookie',
  'x-api-key',
  'x-auth-token',
  'x-csrf-token',
  'x-forwarded-access-token',
  'x-xsrf-token',
])

const PLAIN: ReadonlySet<string> = new Set([
  'age',
  'content-length',
  'content-location',
  'content-md5',
  'content-digest',
  'content-range',
  'digest',
  'etag',
  'expires',
  'grpc-timeout',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-event-id',
  'last-modified',
  'link',
  'location',
  'range',
  'ratelimit-remaining',
  'ratelimit-reset',
  'retry-after',
  'server-timing',
  'traceparent',
  'tracestate',
  'x-correlation-id',
  'x-request-id',
  'x-request-start',
  'x-response-time',
])

/** How a field of this name is indexed. */
export function indexingOf(name: string): Indexing {
  if (NEVER.has(name)) return 'never'
  return PLAIN.has(name) ? 'plain' : 'adaptive'
}

/** Whether a field of this name is never indexed, whoever sends it. */
export function isNeverIndexed(name: string): boolean {
  return NEVER.has(name)
}
