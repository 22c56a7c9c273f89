import type * as jose from 'jose'

/** The library that checks signatures; loaded where a configuration has providers of tokens, and nowhere else. */
export type Jose = typeof jose

let loaded: Promise<Jose> | null = null

/** Loads it, once. */
export function loadJose(): Promise<Jose> {
  loaded ??= import('jose')
  return loaded
}
