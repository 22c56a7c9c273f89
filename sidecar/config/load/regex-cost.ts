import type { RE2JS } from 're2js'

/**
 * What an expression may cost. What is accepted reads 8 KiB in less than 10 ms, whatever they hold (row 80):
 * test/security/row-080-expressions.test.ts.
 *
 * Of the automaton: positions of the expression over all its states, which hostile text makes it build one by one.
 */
const POSITIONS = 5000
/** Positions that are looked at to find that out. */
const WORK = 300_000
/** Positions of one state, where named groups are looked for: that walks through all of them at each character. */
const WIDTH_WITH_GROUPS = 48
/** Anchored at both ends, as paths and values are matched. */
const ANCHOR_BOTH = 2
const END_TEXT = -1

/** What RE2 has built of its automaton: its own shape, which it does not type. */
interface State {
  readonly nfaStates: { readonly length: number }
}

/**
 * Whether an expression's automaton is small. RE2 builds the states that a text needs as it reads it: linear, but with
 * a count behind something that repeats (`.*a.{20}`) there are so many that hostile text meets a new one at every
 * character. So they are built here, once, up to a bound, which does not depend on the machine.
 */
export function isBounded(regex: RE2JS): boolean {
  const re2 = regex.re2()
  // These run on the program itself and build nothing.
  if (re2.onepass !== null) return true
  const width = Object.keys(regex.namedGroups()).length > 0 ? WIDTH_WITH_GROUPS : Infinity
  // Makes the state at the beginning of a text.
  regex.testExact('')
  const { dfa } = re2
  // States are added while they are walked, and a set goes on to those.
  const states = new Set<State>(dfa.startStates.values())
  let positions = 0
  let work = 0
  for (const state of states) {
    positions += state.nfaStates.length + 1
    if (positions > POSITIONS || state.nfaStates.length > width) return false
    for (let kind = 0; kind <= dfa.numClasses; kind++) {
      work += state.nfaStates.length + 1
      if (work > WORK) return false
      const rune = kind === dfa.numClasses ? END_TEXT : kind === 0 ? 0 : dfa.classBounds[kind - 1]
      const next: State | null = dfa.step(state, kind, rune, ANCHOR_BOTH)
      if (next === null) return false
      states.add(next)
    }
  }
  return true
}
