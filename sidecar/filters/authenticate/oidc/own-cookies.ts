import { removeCookie } from '../../../exchange/cookies.ts'
import type { Filter } from '../../filter.ts'
import { cookieNames, LOGIN_COOKIE, SESSION_COOKIE } from './cookie-jar.ts'

/**
 * Takes the cookies of sessions and logins out of requests to routes that do not ask their provider: a browser sends them to
 * every path of the host, and whoever gets one could come back as its visitor.
 */
export const ownCookiesFilter: Filter = {
  name: 'ownCookies',
  onRequest({ upstreamHeaders }) {
    for (const prefix of [SESSION_COOKIE, LOGIN_COOKIE])
      for (const name of cookieNames(upstreamHeaders, prefix)) removeCookie(upstreamHeaders, name)
    return undefined
  },
}
