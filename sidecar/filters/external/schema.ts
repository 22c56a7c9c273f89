/** A service that decides whether a request may go on. Plain data, as the loader resolved it. */
export interface ExternalPolicy {
  /** Its name in `authorization.external`. */
  readonly name: string
  readonly upstream: string
  /** `http`: a request with the fields of the one it is about; `grpc`: `envoy.service.auth.v3.Authorization/Check`. */
  readonly protocol: 'http' | 'grpc'
  /** `http`: what is asked with GET; null: the request's own method and path. */
  readonly path: string | null
  /** Milliseconds for everything. */
  readonly timeout: number
  /** Names of the request's fields that are sent; null: all that would go upstream. */
  readonly headers: readonly string[] | null
  /** Bytes of the request's body that are sent at most; a longer one is refused. Absent: none is sent. */
  readonly body?: number
  /** Fields of an allowing answer that go upstream with the request; no client can set them. */
  readonly upstreamHeaders: readonly string[]
  /** Fields of a refusing answer that the client gets. */
  readonly clientHeaders: readonly string[]
  /** What the client gets where nothing was decided. */
  readonly onError: 403 | 503
  /** Only reports what it would refuse. */
  readonly dryRun: boolean
  /** Of everything above. */
  readonly digest: string
}
