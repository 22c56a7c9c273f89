import { ContextKey } from '../../exchange/context-key.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { type HeaderList, removeHeader, setHeader } from '../../exchange/headers.ts'

const LINES = new ContextKey<string[]>('set-cookie')

/** Leaves cookies for the response of this exchange, whatever it will be. */
export function leaveCookies(exchange: Exchange, lines: readonly string[]): void {
  const left = exchange.get(LINES)
  if (left === undefined) exchange.set(LINES, [...lines])
  else left.push(...lines)
}

/** What caches on the way read ahead of `cache-control` (RFC 9213; Edge Architecture Specification 1.0). */
const TARGETED = ['cdn-cache-control', 'surrogate-control']

/**
 * Writes what was left into the response's head. What was meant for one browser is nobody else's to keep: a cache would give
 * the cookie to whoever asks next (RFC 9111 section 7.3).
 */
export function writeCookies(exchange: Exchange, headers: HeaderList): void {
  const lines = exchange.get(LINES)
  if (lines === undefined) return
  for (const line of lines) headers.push('set-cookie', line)
  setHeader(headers, 'cache-control', 'no-store')
  for (const name of TARGETED) removeHeader(headers, name)
}
