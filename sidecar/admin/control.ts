/** What the admin endpoints may see and do of the process. Implemented by `process/`. */
export interface Control {
  /** Whether the first configuration is active, every listener bound, and no drain has begun. */
  ready(): boolean
  /** Writes all metrics in the text format, in pieces; never waits for the reader. */
  metrics(write: (chunk: string) => void): Promise<void>
  /** The serving configuration: plain data, whose texts are shown through `asWritten`. */
  config(): unknown
  /** A text of the configuration with references in the place of what they brought. */
  asWritten(text: string): string
  /** The hash of the serving configuration. */
  configHash(): string
  /** Upstreams with their endpoints and pools: plain data. */
  upstreams(): unknown
  /** Begins a drain and goes on serving what is in flight. A second call does nothing. */
  drain(): void
  /** Drains, then ends the process. */
  quit(): void
  /** The level of the process log. */
  logLevel: string
}
