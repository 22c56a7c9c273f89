import { ContextKey } from '../../exchange/context-key.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import type { HeaderList } from '../../exchange/headers.ts'

const LINES = new ContextKey<string[]>('set-cookie')

/** Leaves cookies for the response of this exchange, whatever it will be. */
export function leaveCookies(exchange: Exchange, lines: readonly string[]): void {
  const left = exchange.get(LINES)
  if (left === undefined) exchange.set(LINES, [...lines])
  else left.push(...lines)
}

/** Writes what was left into the response's head. What was meant for one browser is nobody else's to keep. */
export function writeCookies(exchange: Exchange, headers: HeaderList): void {
  for (const line of exchange.get(LINES) ?? []) headers.push('set-cookie', line)
}
