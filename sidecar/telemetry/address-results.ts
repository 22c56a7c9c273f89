import type { Sample } from './exposition.ts'
import type { Metrics } from './metrics.ts'

/** A counter by listening address and result. Bounded: addresses are configured, results a few words. */
export class AddressResults {
  readonly #counts = new Map<string, { readonly address: string; readonly result: string; count: number }>()

  constructor(metrics: Metrics, name: string, help: string) {
    metrics.counter(name, help, () => this.#samples())
  }

  count(address: string, result: string): void {
    const key = `${address} ${result}`
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { address, result, count: 1 })
    else known.count++
  }

  *#samples(): Generator<Sample> {
    for (const { address, result, count } of this.#counts.values())
      yield { labels: { address, result }, value: count }
  }
}
