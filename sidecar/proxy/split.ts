import type { Exchange } from '../exchange/exchange.ts'
import { hash32, mix32 } from '../exchange/hash32.ts'
import { compileRequestKey, type KeySource } from '../exchange/request-key.ts'
import { type Random, systemRandom } from '../runtime/random.ts'

/** One side of a split, and what is done with requests that fall to it. */
export interface SplitSide<A> {
  readonly name: string
  /** Relative; at least one side has more than 0. */
  readonly weight: number
  readonly action: A
}

interface Side<A> extends SplitSide<A> {
  readonly hash: number
}

/**
 * Compiles which side of a split takes a request: the one that it names by `pin`, else the one that its key falls to,
 * else, where it has no key, one that is drawn.
 *
 * A key falls to a side by weighted rendezvous hashing: every side draws a number for the key from an exponential
 * distribution with its weight as rate, and the smallest wins. What a side draws depends on its own name and weight
 * alone, so raising a weight moves keys only towards that side, lowering it only away, and a side of weight 0 gets
 * none. By the names of the sides, so that all replicas agree, and a caller is on the same side of every route that
 * splits between the same names.
 *
 * A request may name a side of weight 0: that is how one is tried before it gets traffic. A name that no side has is
 * ignored.
 *
 * @throws Error where no side has a weight, which the loader has checked
 */
export function compileSplit<A>(
  sides: readonly SplitSide<A>[],
  by: readonly KeySource[],
  pin: KeySource | null,
  random: Random = systemRandom,
): (exchange: Exchange) => A {
  const key = compileRequestKey(by)
  const named = pin === null ? null : compileRequestKey([pin])
  const byName = new Map(sides.map(side => [side.name, side.action]))
  const open = sides.filter(side => side.weight > 0).map(side => ({ ...side, hash: hash32(side.name) }))
  const [first] = open
  if (first === undefined) throw new Error('a split needs a side with a weight')
  return exchange => {
    const name = named?.(exchange)
    const pinned = name === undefined || name === null ? undefined : byName.get(name)
    if (pinned !== undefined) return pinned
    const value = key(exchange)
    return value === null ? drawn(open, first, random) : sideOf(open, first, hash32(value))
  }
}

function sideOf<A>(sides: readonly Side<A>[], first: Side<A>, key: number): A {
  let best = first
  let least = Infinity
  for (const side of sides) {
    // From 0 to 1 with neither end, so that the logarithm is a number and not 0.
    const uniform = (mix32(key ^ side.hash) + 0.5) / 2 ** 32
    const time = -Math.log(uniform) / side.weight
    if (time >= least) continue
    least = time
    best = side
  }
  return best.action
}

function drawn<A>(sides: readonly Side<A>[], first: Side<A>, random: Random): A {
  let left = random() * sides.reduce((sum, side) => sum + side.weight, 0)
  for (const side of sides) {
    left -= side.weight
    if (left < 0) return side.action
  }
  return first.action
}
