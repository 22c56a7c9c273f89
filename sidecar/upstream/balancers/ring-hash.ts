import { hash32, mix32 } from '../../exchange/hash32.ts'
import type { Candidate } from '../picker.ts'
import type { HashTable } from './hash-picker.ts'

/** Points of the heaviest endpoint: shares are right within some 3 %. */
const POINTS = 1024
/** Points of all together: beyond 64 equal endpoints each has fewer. Half a MiB in memory, some 9 ms to build. */
const MAX_POINTS = 65_536
/** An owner's number is put below its point, so that plain numbers can be sorted. */
const OWNERS = 2 ** 20

/**
 * A ring of hashes: each endpoint owns points on it, and a key falls to the next point. An endpoint's points depend on
 * itself alone (below `MAX_POINTS`, and while the heaviest stays), so that one that goes or comes moves its own keys
 * and no others; beyond, about as many others again.
 */
export function buildRing(candidates: readonly Candidate[]): HashTable {
  let heaviest = 0
  let total = 0
  for (const { weight } of candidates) {
    heaviest = Math.max(heaviest, weight)
    total += weight
  }
  const scale = Math.min(POINTS / heaviest, MAX_POINTS / total)
  const counts = candidates.map(({ weight }) => Math.max(1, Math.round(weight * scale)))
  const sorted = new Float64Array(counts.reduce((sum, count) => sum + count, 0))
  let at = 0
  candidates.forEach(({ endpoint }, owner) => {
    const base = hash32(endpoint.label)
    for (let i = 1; i <= (counts[owner] as number); i++)
      sorted[at++] = mix32(base ^ mix32(i)) * OWNERS + owner
  })
  sorted.sort()
  const points = new Uint32Array(sorted.length)
  const owners = new Uint32Array(sorted.length)
  for (let i = 0; i < sorted.length; i++) {
    const value = sorted[i] as number
    const point = Math.floor(value / OWNERS)
    points[i] = point
    owners[i] = value - point * OWNERS
  }
  return { owners, place: hash => placeOf(points, hash) }
}

/** The first point at or behind the hash; behind the last the ring begins anew. */
function placeOf(points: Uint32Array, hash: number): number {
  let from = 0
  let to = points.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if ((points[middle] as number) < hash) from = middle + 1
    else to = middle
  }
  return from === points.length ? 0 : from
}
