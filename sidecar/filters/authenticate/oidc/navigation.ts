import type { Exchange } from '../../../exchange/exchange.ts'
import { hasHeader, headerValue } from '../../../exchange/headers.ts'

/**
 * Whether a browser asks for a page to show: only that is sent to a login. A script, a picture or a WebSocket could do
 * nothing with one.
 */
export function isNavigation(exchange: Exchange): boolean {
  const { headers, method, tunnel } = exchange
  if (method !== 'GET' || tunnel !== null) return false
  // Fetch Metadata Request Headers: what a page cannot set.
  const mode = headerValue(headers, 'sec-fetch-mode')
  if (mode !== undefined) return mode === 'navigate' && headerValue(headers, 'sec-fetch-dest') === 'document'
  if (hasHeader(headers, 'x-requested-with')) return false
  return /\btext\/html\b/.test(headerValue(headers, 'accept') ?? '')
}

/** Whether another site sent the browser here; a browser that does not say so is taken at its word. */
export function isForeign(exchange: Exchange): boolean {
  return headerValue(exchange.headers, 'sec-fetch-site') === 'cross-site'
}

/** A path of this origin to come back to; `/` where it could be read as something else. */
export function returnPath(target: string): string {
  return target.length <= 2_048 && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(target) ? target : '/'
}
