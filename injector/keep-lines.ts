/** Beyond this many pairs of lines it is not worth the memory. */
const MAX_PAIRS = 9_000_000

/** Lines that the user wrote, and the lines that the writer makes of them; ends are behind the last. */
interface Passage {
  readonly ownFrom: number
  ownTo: number
  readonly oldFrom: number
  readonly oldTo: number
}

/**
 * Carries a change over to a text that is written in another way. A writer has one style for all; so it writes both
 * what was and what is to be, and a passage that is the same in both stays as the user wrote it. Whether the result
 * says what it has to is for the caller to see.
 *
 * @param text as the user wrote it
 * @param before the same, as the writer writes it
 * @param after the changed one, as the writer writes it
 * @returns null where the texts are too long for it
 */
export function keepLines(text: string, before: string, after: string): string | null {
  const own = text.split('\n')
  const old = before.split('\n')
  const next = after.split('\n')
  if (old.length * Math.max(own.length, next.length) > MAX_PAIRS) return null
  const passages = new Map(passagesOf(own, old).map(passage => [passage.oldFrom, passage]))
  const same = commonLines(old, next)
  const result: string[] = []
  for (let index = 0; index < next.length;) {
    const passage = passages.get(same[index] ?? -1)
    const length = passage === undefined ? 0 : passage.oldTo - passage.oldFrom
    const isWhole = same.slice(index, index + length).every((line, at) => line === (same[index] ?? 0) + at)
    if (passage !== undefined && isWhole && index + length <= next.length) {
      result.push(...own.slice(passage.ownFrom, passage.ownTo))
      index += length
    } else result.push(next[index++] ?? '')
  }
  return result.join('\n')
}

/** Which lines go together: those that differ in spaces only, and what lies between two of these. */
function passagesOf(own: readonly string[], old: readonly string[]): Passage[] {
  const squeeze = (line: string): string => line.replaceAll(/\s/g, '')
  const found = commonLines(own.map(squeeze), old.map(squeeze))
  const passages: Passage[] = []
  let [ownFrom, oldFrom] = [0, 0]
  const add = (ownTo: number, oldTo: number): void => {
    const last = passages.at(-1)
    // What the writer leaves out, such as an empty line, belongs to what stands before it.
    if (oldTo === oldFrom && last !== undefined) last.ownTo = ownTo
    else if (oldTo > oldFrom) passages.push({ ownFrom, ownTo, oldFrom, oldTo })
    else return
    ownFrom = ownTo
    oldFrom = oldTo
  }
  for (const [line, place] of found.entries()) {
    if (place < 0) continue
    add(place, line)
    add(place + 1, line + 1)
  }
  add(own.length, old.length)
  return passages
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
