/** What a route asks of a request: plain data, as the loader resolved it. All kinds given must match; within a kind any is enough. */
export interface MatchSpec {
  /** Lower case, `*.x` for wildcards; empty: any. */
  readonly hosts: readonly string[]
  /** Never empty: the prefix `/` where none is given. */
  readonly paths: readonly PathMatch[]
  /** Upper case as written; empty: any. `GET` includes `HEAD` (applied by the router, not here). */
  readonly methods: readonly string[]
  readonly headers: readonly ValueMatch[]
  readonly query: readonly ValueMatch[]
  readonly priority: number
}

/** One path condition. */
export type PathMatch =
  /** `/api`, without a final slash; `''` matches every path. */
  | { readonly kind: 'prefix'; readonly path: string }
  | { readonly kind: 'exact'; readonly path: string }
  /** `/users/{id}`; `below` where it ends in `/**`. Without a final slash. */
  | { readonly kind: 'template'; readonly path: string; readonly below: boolean }
  /** RE2 syntax; always matched against the whole path. */
  | { readonly kind: 'regex'; readonly regex: string }

/** One header or query condition. `name` is lower case for headers. Any of `tests` is enough. */
export interface ValueMatch {
  readonly name: string
  readonly tests: readonly ValueTest[]
}
/** One test of a header or query value. */
export type ValueTest =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly regex: string }
  | { readonly kind: 'present' }
