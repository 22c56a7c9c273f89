import type { Exchange } from './exchange.ts'

/**
 * What a thing is counted, split, pinned or hashed by: the words of `by`. `consumer` is the caller's name, and the
 * address while nobody is known.
 */
export type KeySource =
  | { readonly kind: 'consumer' }
  | { readonly kind: 'address' }
  | { readonly kind: 'all' }
  | { readonly kind: 'path' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'param'; readonly name: string }

/** Reads the key of a request; null where the request does not have it. */
export type RequestKey = (exchange: Exchange) => string | null
