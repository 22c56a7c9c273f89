import { hash32, mix32 } from '../../exchange/hash32.ts'
import type { Candidate } from '../picker.ts'
import type { HashTable } from './hash-picker.ts'

/**
 * Places of the table: a prime, as the permutations need one. The same for two endpoints and for a thousand, since
 * another size would be another table, in which nearly every key has moved. 128 KiB, some 4 ms to build.
 */
const PLACES = 65_537
/** A place that nobody owns yet. */
const NOBODY = 0xffff

/**
 * Maglev's table (Eisenbud and others, 2016): each endpoint has its own order of all places, and in turn takes the next
 * that is free; one with less weight sits out turns. Shares are within a thousandth of the weights, a look-up is one
 * access, and one that goes moves its own keys and a few per cent of the others.
 *
 * @param candidates the first 65,535 of them take part
 */
export function buildMaglev(candidates: readonly Candidate[]): HashTable {
  const count = Math.min(candidates.length, NOBODY)
  const owners = new Uint16Array(PLACES).fill(NOBODY)
  const next = new Uint32Array(count)
  const skip = new Uint32Array(count)
  const share = new Float64Array(count)
  const owed = new Float64Array(count)
  let heaviest = 0
  for (const { weight } of candidates) heaviest = Math.max(heaviest, weight)
  for (let i = 0; i < count; i++) {
    const { endpoint, weight } = candidates[i] as Candidate
    const hash = hash32(endpoint.label)
    next[i] = hash % PLACES
    skip[i] = 1 + (mix32(~hash) % (PLACES - 1))
    share[i] = weight / heaviest
  }
  for (let filled = 0; filled < PLACES;) {
    for (let i = 0; i < count && filled < PLACES; i++) {
      // The heaviest is owed a whole place in each round, so that a round never passes in vain.
      owed[i] = (owed[i] as number) + (share[i] as number)
      if ((owed[i] as number) < 1) continue
      owed[i] = (owed[i] as number) - 1
      let place = next[i] as number
      const step = skip[i] as number
      while (owners[place] !== NOBODY) if ((place += step) >= PLACES) place -= PLACES
      owners[place] = i
      next[i] = place
      filled++
    }
  }
  return { owners, place: hash => hash % PLACES }
}
