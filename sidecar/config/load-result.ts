import type { ConfigError } from './config-error.ts'
import type { ResolvedConfig } from './resolved.ts'

/** What loading a configuration gives: the whole of it, or everything that is wrong with it. */
export type LoadResult =
  | { readonly ok: true; readonly config: ResolvedConfig; readonly warnings: readonly string[] }
  | {
      readonly ok: false
      readonly errors: readonly ConfigError[]
      /** Absolute paths of the files that were read or looked for: what to keep watching until it is right. */
      readonly files: readonly string[]
    }
