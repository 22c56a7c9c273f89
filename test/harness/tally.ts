/** How many tests passed, failed and were skipped. */
export interface Tally {
  passed: number
  failed: number
  skipped: number
}

export function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: 0 }
}

/** Adds `more` to `sum`, in place. */
export function addTo(sum: Tally, more: Readonly<Tally>): void {
  sum.passed += more.passed
  sum.failed += more.failed
  sum.skipped += more.skipped
}

/** The line that a run ends with; `.ci/run` reads it back. */
export function tallyLine(tally: Readonly<Tally>): string {
  return `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`
}
