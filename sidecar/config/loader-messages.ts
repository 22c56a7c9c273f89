import type { LoadResult } from './load-result.ts'
import type { ResolvedRoute, ResolvedUpstream } from './resolved.ts'

/** What the serving process says to the loading child. */
export type LoaderRequest =
  | {
      readonly kind: 'load'
      readonly id: number
      readonly sources: readonly string[]
      readonly env: string | null
      readonly secrets: boolean
    }
  /** The last piece is taken in; send the next. */
  | { readonly kind: 'more'; readonly id: number }

/**
 * What the child answers: a result without its routes and upstreams, these in pieces, and the end. Each piece waits
 * until the one before is acknowledged, so that the serving thread never reads a large configuration in one turn.
 */
export type LoaderAnswer =
  | { readonly kind: 'result'; readonly id: number; readonly result: LoadResult }
  | {
      readonly kind: 'routes'
      readonly id: number
      readonly listener: number
      readonly routes: readonly ResolvedRoute[]
    }
  | { readonly kind: 'upstreams'; readonly id: number; readonly upstreams: readonly ResolvedUpstream[] }
  | { readonly kind: 'end'; readonly id: number }
