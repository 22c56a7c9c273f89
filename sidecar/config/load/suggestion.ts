/**
 * The candidate nearest to what was written, or undefined where none is near enough to be meant: the one that is misspelt,
 * or the only one that begins alike (`retries`, `retry`).
 */
export function nearest(written: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates]
  const misspelt = nearestMisspelt(written, all)
  if (misspelt !== undefined) return misspelt
  const lower = written.toLowerCase()
  const alike = all.filter(one => beginsAlike(lower, one.toLowerCase()))
  return alike.length === 1 ? alike[0] : undefined
}

/**
 * The candidate of which at most a third of the letters differ (insertions, deletions, replacements and swapped
 * neighbours count one each).
 */
export function nearestMisspelt(written: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(written.length / 3)) + 1
  const lower = written.toLowerCase()
  for (const candidate of candidates) {
    if (candidate === written) continue
    const near = candidate.toLowerCase()
    if (Math.abs(near.length - lower.length) >= bestDistance) continue
    const distance = editDistance(lower, near)
    if (distance >= bestDistance) continue
    bestDistance = distance
    best = candidate
  }
  return best
}

function beginsAlike(a: string, b: string): boolean {
  const shared = Math.max(4, Math.ceil(Math.min(a.length, b.length) * 0.75))
  return a.slice(0, shared) === b.slice(0, shared) && a !== b
}

/** "did you mean `x`?", or undefined. */
export function didYouMean(written: string, candidates: Iterable<string>): string | undefined {
  const near = nearest(written, candidates)
  return near === undefined ? undefined : `did you mean \`${near}\`?`
}

/** Optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, at(before, j - 2) + 1)
      next.push(cost)
    }
    before = row
    row = next
  }
  return at(row, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? 0
}
