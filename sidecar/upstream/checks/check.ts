import type { Destination } from '../../runtime/destination.ts'
import type { ReadBuffers } from '../../runtime/read-buffers.ts'

/** What a check is made with. */
export interface CheckParts {
  readonly target: Destination
  /** The Host, or authority, that is sent. */
  readonly host: string
  readonly buffers: ReadBuffers
}

/** One question to an endpoint that is under way, on a connection of its own. */
export interface Check {
  /** Ends it now, with its connection; its owner hears no more. */
  abort(): void
}

/** Hears how a check went, once. */
export interface CheckOwner {
  /** @param fault why the endpoint is not well, in a few words; empty where it is */
  onResult(fault: string): void
}
