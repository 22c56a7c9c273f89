/** What a resolver tells whoever watches a name. */
export type ResolverListener = () => void

/** A name's addresses, kept up to date. */
export interface Resolver {
  /** IP addresses, or null while there was no answer yet. Never empty: an answer that is, keeps the last. */
  readonly addresses: readonly string[] | null
  /** Why the last look-up failed, or empty. */
  readonly error: string
  /** Calls the listener after each change, and after the first answer or failure. */
  watch(listener: ResolverListener): void
  unwatch(listener: ResolverListener): void
  close(): void
}
