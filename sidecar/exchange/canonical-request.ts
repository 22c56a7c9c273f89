/**
 * The one request that routing, authorization, limits, cache keys, logs and forwarding all read. Frozen once made, by
 * `routing/canonical-request.ts`; what cannot be read in one way only never becomes one (it is a 400).
 */
export interface CanonicalRequest {
  /** As sent; methods are case-sensitive (RFC 9110 section 9.1). */
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Lower case, without port and without a final dot. IPv6 in brackets. Empty only for an HTTP/1.0 request without Host. */
  readonly host: string
  /** The port the client named, or 0. */
  readonly port: number
  /** Normalised: starts with `/`, dot segments resolved, slashes merged, unreserved characters decoded, hex in upper case. */
  readonly path: string
  /** What follows `?`, as sent, without the `?`; empty where there is none. */
  readonly query: string
  /** Whether there was a `?`, so that an empty query is forwarded as it came. */
  readonly hasQuery: boolean
}
