/** What has to hold of who is calling, in a route. */
export interface AuthorizePolicy {
  /** Refuses whoever does not meet it; null: nothing is enforced. */
  readonly enforced: AuthorizeConditions | null
  /** Only reports what it would refuse (`dryRun`); null: nothing is tried out. */
  readonly reported: AuthorizeConditions | null
  /** The levels that say it, such as `listener.api + route.orders`. */
  readonly rule: string
}

/** All that is given must hold; null: not asked. Where nothing is asked nobody meets it. */
export interface AuthorizeConditions {
  /** Address ranges: the client's address is in one of them. Absent: not asked. */
  readonly allow?: readonly string[]
  /** Address ranges: the client's address is in none of them. Absent: not asked. */
  readonly deny?: readonly string[]
  /** Exact SPIFFE IDs and DNS names (lower case): the certificate of the connection says one of them. */
  readonly peers: readonly string[] | null
  /** The caller is in one of these. */
  readonly groups: readonly string[] | null
  /** The credential has all of these. */
  readonly scopes: readonly string[] | null
  /** The expression is true. */
  readonly when: string | null
}
