import type { Metrics } from './metrics.ts'
import { MAX_LABELS, OTHER } from './series-table.ts'

/** One number with its labels. */
interface Cell {
  readonly labels: Readonly<Record<string, string>>
  value: number
}

/** Counters and gauges that filters ask for by name and labels, shown in the catalogue from the first time on. Bounded. */
export class FilterCounters {
  readonly #metrics: Metrics
  readonly #families = new Map<string, Map<string, Cell>>()

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  /** The same name and labels are the same counter; beyond 2,000 of a name all share one. */
  get(
    name: string,
    help: string,
    labels: Readonly<Record<string, string>>,
    kind: 'counter' | 'gauge' = 'counter',
  ): { value: number } {
    let cells = this.#families.get(name)
    if (cells === undefined) {
      const opened = new Map<string, Cell>()
      this.#families.set(name, (cells = opened))
      this.#metrics[kind](name, help, () => opened.values())
    }
    const full = cells.size >= MAX_LABELS
    const key = JSON.stringify(labels)
    const known = cells.get(key)
    if (known !== undefined) return known
    const shown = full ? Object.fromEntries(Object.keys(labels).map(label => [label, OTHER])) : labels
    const shared = full ? cells.get(JSON.stringify(shown)) : undefined
    if (shared !== undefined) return shared
    const cell: Cell = { labels: shown, value: 0 }
    cells.set(JSON.stringify(shown), cell)
    return cell
  }
}
