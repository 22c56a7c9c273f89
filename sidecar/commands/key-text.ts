import type { Exchange } from '../exchange/exchange.ts'
import { compileRequestKey, type KeySource } from '../exchange/request-key.ts'
import type { ActionSpec } from '../snapshot/policies.ts'

/** The words of `by`, as a configuration writes them. */
export function keySourcesText(sources: readonly KeySource[]): string {
  return sources.map(keySourceText).join(', ')
}

function keySourceText(source: KeySource): string {
  return 'name' in source ? `${source.kind} ${source.name}` : source.kind
}

/** Which of the words of `by` a request is counted by, or null where it has none of them. */
export function usedKeyText(sources: readonly KeySource[], exchange: Exchange): string | null {
  for (const source of sources) {
    const key = compileRequestKey([source])(exchange)
    if (key === null) continue
    // Values of headers, cookies and parameters may be secrets; who asks and what for is shown anyway.
    const shown = source.kind === 'consumer' || source.kind === 'address' ? ` ${key}` : ''
    return `${keySourceText(source)}${shown}`
  }
  return null
}

/** Why a request is on its side of a split. */
export function sideText(
  { by, to, pin }: Extract<ActionSpec, { kind: 'split' }>,
  side: string,
  exchange: Exchange,
): string {
  const named = pin === null ? null : compileRequestKey([pin])(exchange)
  if (pin !== null && named === side) return `the side that ${keySourceText(pin)} names`
  const total = to.reduce((sum, one) => sum + one.weight, 0)
  const weight = to.find(one => one.upstream === side)?.weight ?? 0
  const share = `${Number(((weight / total) * 100).toFixed(2))}% of the split`
  const key = usedKeyText(by, exchange)
  return key === null ? `${share}, drawn: the request has no ${keySourcesText(by)}` : `${share}, by ${key}`
}
