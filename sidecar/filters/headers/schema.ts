/** What is changed on the way up and on the way back. Plain data, as the loader resolved it. */
export interface HeadersPolicy {
  readonly request: HeaderEdits
  readonly response: HeaderEdits
}

/** Changes in the order remove, set, add. Names in lower case; values are templates (`{id}`, `{request.host}`). */
export interface HeaderEdits {
  /** Stands once, with this value. */
  readonly set: readonly (readonly [name: string, value: string])[]
  /** One more line, whatever is there. */
  readonly add: readonly (readonly [name: string, value: string])[]
  readonly remove: readonly string[]
}
