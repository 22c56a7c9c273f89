import { cookieValue, removeCookie } from '../exchange/cookies.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { headerValue, type HeaderList } from '../exchange/headers.ts'
import type { AffinityPolicy } from '../snapshot/policies.ts'

/** What `Endpoint.token` looks like. */
const TOKEN = /^[0-9a-f]{16}$/

/**
 * The token of the endpoint that the request's affinity cookie names; empty where there is no policy or no such cookie.
 * The cookie is between the client and us: it is taken out of what goes upstream.
 */
export function takeToken(exchange: Exchange, policy: AffinityPolicy | null): string {
  if (policy === null) return ''
  removeCookie(exchange.upstreamHeaders, policy.cookie)
  const value = cookieValue(exchange.headers, policy.cookie)
  return value !== null && TOKEN.test(value) ? value : ''
}

/**
 * Has the client come back to the endpoint that answered, where it does not say so already: adds our `set-cookie` to the
 * response's headers. The cookie is for the whole host, out of reach of scripts, not sent along from other sites, and
 * only sent encrypted where the client came encrypted. A 502, 503 or 504 binds nobody to who gave it.
 *
 * @param sticky what `takeToken` read
 * @param token of the endpoint that answered
 */
export function bindClient(
  exchange: Exchange,
  policy: AffinityPolicy,
  answer: { readonly status: number; readonly token: string; readonly sticky: string },
  headers: HeaderList,
): void {
  if (answer.token === answer.sticky) return
  if (answer.status >= 502 && answer.status <= 504) return
  // Behind a trusted proxy that ends TLS the client's scheme is the one that it forwarded.
  const scheme = headerValue(exchange.upstreamHeaders, 'x-forwarded-proto') ?? exchange.request?.scheme
  const lifetime = policy.maxAge === null ? '' : `; Max-Age=${policy.maxAge}`
  const secure = scheme === 'https' ? '; Secure' : ''
  headers.push(
    'set-cookie',
    `${policy.cookie}=${answer.token}; Path=/${lifetime}; HttpOnly; SameSite=Lax${secure}`,
  )
}
