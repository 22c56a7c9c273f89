/** Beyond this many pairs of lines it is not worth the memory. */
const MAX_PAIRS = 9_000_000

/**
 * Carries a change over to a text that is written in another way. A writer has one style for all; so it writes both
 * what was and what is to be, and a line that is the same in both stays as the user wrote it.
 *
 * @param text as the user wrote it
 * @param before the same, as the writer writes it
 * @param after the changed one, as the writer writes it
 * @returns null where the lines of `text` and `before` do not go together
 */
export function keepLines(text: string, before: string, after: string): string | null {
  const own = text.split('\n')
  const old = before.split('\n')
  const next = after.split('\n')
  if (own.length !== old.length || old.length * next.length > MAX_PAIRS) return null
  const same = commonLines(old, next)
  return next.map((line, index) => own[same[index] ?? -1] ?? line).join('\n')
}

/** For each line of `next` the line of `old` that it is, or -1: a longest common subsequence. */
function commonLines(old: readonly string[], next: readonly string[]): number[] {
  const width = next.length + 1
  const lengths = new Uint32Array((old.length + 1) * width)
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0
  for (let row = old.length - 1; row >= 0; row--) {
    for (let column = next.length - 1; column >= 0; column--) {
      lengths[row * width + column] =
        old[row] === next[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1))
    }
  }
  const found: number[] = next.map(() => -1)
  for (let row = 0, column = 0; row < old.length && column < next.length;) {
    if (old[row] === next[column]) found[column++] = row++
    else if (at(row + 1, column) >= at(row, column + 1)) row++
    else column++
  }
  return found
}
