import type { Program } from './program.ts'

/** What a contestant gets to start: a folder of its own and the ports of the origin on 127.0.0.1. */
export interface Place {
  readonly folder: string
  readonly origin: number
  /** That of HTTP/2. */
  readonly streams: number
}

/** A certificate and its key, as files. */
export interface PemFiles {
  readonly cert: string
  readonly key: string
}

/** A started proxy. */
export interface Entry {
  readonly program: Program
  readonly port: number
}

/**
 * A proxy that takes part: one core, keep-alive to client and origin, no access log unless its name says so, and the
 * header work of a production proxy (Host kept, X-Forwarded-For and -Proto, a request id where it can).
 */
export interface Contestant {
  readonly name: string
  /** Null, or why it cannot take part here and the line that would change that. */
  readonly missing: () => string | null
  readonly start: (place: Place) => Promise<Entry>
}

/** What stands in for an installed program that is not there. */
export function notInstalled(program: string, install: string): string {
  return `${program} is not installed: ${install}`
}
