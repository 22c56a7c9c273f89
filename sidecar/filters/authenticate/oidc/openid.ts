import type * as openid from 'openid-client'

/** The library that speaks OpenID Connect; loaded where a configuration has such providers, and nowhere else. */
export type OpenId = typeof openid

let loaded: Promise<OpenId> | null = null

/** Loads it, once. */
export function loadOpenId(): Promise<OpenId> {
  loaded ??= import('openid-client')
  return loaded
}
