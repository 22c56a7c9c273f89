import type { LoadResult } from './load-result.ts'
import type { RoutePolicies } from '../snapshot/policies.ts'
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

/** A route on its way: what many have in common is sent once, and stands here as its place among all that was sent. */
export interface SentRoute extends Omit<ResolvedRoute, 'policies' | 'from'> {
  readonly policies: number
  readonly from: number
}

/**
 * What the child answers: a result without its routes and upstreams, these in pieces, and the end. Each piece waits
 * until the one before the last is acknowledged, so that the serving thread never reads a large configuration in one
 * turn, and has the next piece when it asks for it.
 */
export type LoaderAnswer =
  | { readonly kind: 'result'; readonly id: number; readonly result: LoadResult }
  | {
      readonly kind: 'routes'
      readonly id: number
      readonly listener: number
      readonly routes: readonly SentRoute[]
      /** What these routes have in common and no piece before brought. */
      readonly policies: readonly RoutePolicies[]
      readonly from: readonly ResolvedRoute['from'][]
    }
  | { readonly kind: 'upstreams'; readonly id: number; readonly upstreams: readonly ResolvedUpstream[] }
  | { readonly kind: 'end'; readonly id: number }
