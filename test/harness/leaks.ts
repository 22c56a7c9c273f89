import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'

/** What must be back at nothing when a test is over; each part where the test has it. */
export interface LiveState {
  /** A registry of pools, resolvers, counters. */
  readonly registry?: { readonly size: number; keys?(): readonly string[] }
  readonly budget?: { readonly used: number }
  readonly timers?: { readonly size: number }
  /** Read buffers that are held. */
  readonly buffers?: { readonly held: number }
  /** How many snapshots are alive: exactly one while a process serves. */
  readonly generations?: () => number
}

/** Immediates are one turn of the loop: never a leak, and the check itself makes them. */
const IGNORED = new Set(['Immediate', 'TTYWrap'])

const GRACE_MS = 1000

/**
 * Remembers what keeps the event loop alive now, and answers a check that nothing more does. Use it around each test:
 * `let leaks; beforeEach(() => { leaks = watchLeaks() }); afterEach(() => leaks())`. A close takes some turns of the
 * loop, so the check waits up to a second for what is on its way out.
 * @throws Error from the check, naming what is left
 */
export function watchLeaks(state: () => LiveState = () => ({})): () => Promise<void> {
  const before = countResources()
  return async () => {
    const deadline = performance.now() + GRACE_MS
    let left = describe(before, state())
    while (left.length > 0 && performance.now() < deadline) {
      await nextTurn()
      left = describe(before, state())
    }
    if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`)
  }
}

function describe(before: ReadonlyMap<string, number>, state: LiveState): string[] {
  const left: string[] = []
  for (const [type, count] of countResources()) {
    const more = count - (before.get(type) ?? 0)
    if (more > 0) left.push(`${more} ${type}`)
  }
  const { registry, budget, timers, buffers } = state
  if (registry !== undefined && registry.size > 0)
    left.push(`registry: ${inspect(registry.keys?.() ?? registry.size)}`)
  if (budget !== undefined && budget.used !== 0) left.push(`memory budget: ${budget.used} bytes`)
  if (timers !== undefined && timers.size > 0) left.push(`timer wheel: ${timers.size} timers`)
  if (buffers !== undefined && buffers.held > 0) left.push(`read buffers: ${buffers.held}`)
  const generations = state.generations?.() ?? 1
  if (generations !== 1) left.push(`${generations} generations`)
  return left
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const type of process.getActiveResourcesInfo()) {
    if (!IGNORED.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1)
  }
  return counts
}
