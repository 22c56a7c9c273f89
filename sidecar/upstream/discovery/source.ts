import type { EndpointSpec } from '../upstream-spec.ts'

/** An endpoint that a source has found: its address is one, and no name. */
export interface FoundEndpoint extends EndpointSpec {
  /** As it was written: what an encrypted endpoint has to prove where nothing else is asked. */
  readonly name: string
}

/** Where endpoints of an upstream come from: a written address or name, or a service that is watched. */
export interface Source {
  /** What was written, for people. */
  readonly written: string
  /** What it has found; null while there was no answer yet. */
  readonly endpoints: readonly FoundEndpoint[] | null
  /** Why the last answer is none, or says that nothing can be found; empty: neither. */
  readonly error: string
  /** Calls the listener after each change. There is one at a time. */
  watch(listener: () => void): void
  /** Gives back what it holds. The listener hears nothing more. */
  release(): void
}
