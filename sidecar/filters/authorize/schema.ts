/** What has to hold of who is calling. All that is given must hold; null: not asked. Without anything nobody may call. */
export interface AuthorizePolicy {
  /** Exact SPIFFE IDs and DNS names (lower case): the certificate of the connection says one of them. */
  readonly peers: readonly string[] | null
  /** The caller is in one of these. */
  readonly groups: readonly string[] | null
  /** The credential has all of these. */
  readonly scopes: readonly string[] | null
  /** Only reports what it would refuse. */
  readonly dryRun: boolean
  /** The levels that say it, such as `listener.api + route.orders`. */
  readonly rule: string
}
