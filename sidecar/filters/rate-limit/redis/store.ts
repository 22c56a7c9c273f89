import type { LimitStore, Standing } from '../limit-set.ts'
import type { Leases } from '../lease.ts'
import type { LimitSpec, Rate, StoreSpec } from '../schema.ts'
import type { RedisConnection } from './connection.ts'

/** Limits that one call of the script counts together. */
interface Call {
  readonly standings: Standing[]
  readonly keys: string[]
  readonly args: string[]
}

/** How many keys one call puts back. */
const KEYS_A_CALL = 100
/** How many keys are put back at most; what more there is ends by itself. */
const MOST_PUT_BACK = 10_000

/** A Redis in which several processes count together. */
export class RedisStore implements LimitStore {
  readonly spec: Pick<StoreSpec, 'cluster' | 'prefix' | 'onError'>
  readonly #connection: Pick<RedisConnection, 'ready' | 'run' | 'close'>

  readonly #lent = new Map<Leases, LimitSpec>()
  /** What is put back at the moment. */
  readonly #returning = new Set<Promise<unknown>>()

  constructor(
    spec: Pick<StoreSpec, 'cluster' | 'prefix' | 'onError'>,
    connection: Pick<RedisConnection, 'ready' | 'run' | 'close'>,
  ) {
    this.spec = spec
    this.#connection = connection
  }

  /** Whether it answered lately; where it did not, nobody waits for it. */
  get ready(): boolean {
    return this.#connection.ready
  }

  /**
   * Counts a request in all of these limits, or in none where one refuses. One call where one server holds them all; in a
   * cluster one for each slot, at once, and what one of them counted is taken back where another refuses.
   *
   * @returns the standings that nobody could say anything about, and whether one of the others refused
   */
  async take(
    standings: readonly Standing[],
  ): Promise<{ readonly refused: boolean; readonly unknown: readonly Standing[] }> {
    for (const standing of standings) standing.ask()
    const calls = this.#calls(standings)
    const answers = await Promise.all(
      calls.map(call => this.#connection.run(call.keys, ['take', ...call.args])),
    )
    let refused = false
    const unknown: Standing[] = []
    for (const [index, { standings: asked }] of calls.entries()) {
      const answer = answers[index] ?? null
      if (answer === null) {
        for (const standing of asked) standing.answered(null, false)
        unknown.push(...asked)
      } else if (!read(answer, asked)) refused = true
    }
    if (refused) this.giveBack(standings)
    return { refused, unknown }
  }

  /** Takes back what is counted of these. Nobody waits for it. */
  giveBack(standings: readonly Standing[]): void {
    const counted: Standing[] = []
    for (const standing of standings) {
      if (!standing.taken || standing.state !== null) continue
      // What was taken ahead stays here.
      if (standing.turn !== null) standing.giveBack()
      else {
        standing.taken = false
        counted.push(standing)
      }
    }
    for (const { keys, args } of this.#calls(counted)) void this.#connection.run(keys, ['give', ...args])
  }

  /** Remembers what limits take ahead, for the end. */
  lend(leases: Leases, spec: LimitSpec): void {
    this.#lent.set(leases, spec)
  }

  /** A limit is gone: what it took ahead and did not use is put back, as far as the store hears it. */
  async putBack(leases: Leases): Promise<void> {
    const spec = this.#lent.get(leases)
    this.#lent.delete(leases)
    if (spec === undefined) return
    const returning = this.#putBack([[leases, spec]])
    this.#returning.add(returning)
    await returning
    this.#returning.delete(returning)
  }

  /** Puts back what was taken ahead, and ends. */
  close(): Promise<void> {
    const lent = [...this.#lent]
    this.#lent.clear()
    return this.#connection.close(Promise.all([...this.#returning, this.#putBack(lent)]))
  }

  #putBack(lent: readonly (readonly [Leases, LimitSpec])[]): Promise<unknown> {
    const calls: Omit<Call, 'standings'>[] = []
    let count = 0
    for (const [leases, spec] of lent) {
      for (const { key, quota, units } of leases.giveUp()) {
        if (!this.ready || count++ >= MOST_PUT_BACK) continue
        let call = calls.at(-1)
        // Keys of a cluster lie in slots of their own.
        if (call === undefined || this.spec.cluster || call.keys.length >= KEYS_A_CALL)
          calls.push((call = { keys: [], args: [] }))
        call.keys.push(this.#keyOf(spec, key))
        call.args.push(...rateArguments(spec.rate), String(quota), String(units), burstOf(spec.rate), '0')
      }
    }
    return Promise.all(calls.map(({ keys, args }) => this.#connection.run(keys, ['back', ...args])))
  }

  #keyOf(spec: LimitSpec, key: string): string {
    return `${this.spec.prefix}{${tagOf(spec, key)}}${spec.scope}:${spec.name}:${signature(spec.rate)}`
  }

  #calls(standings: readonly Standing[]): Call[] {
    const calls = new Map<string, Call>()
    for (const standing of standings) {
      const group = this.spec.cluster ? tagOf(standing.limit.spec, standing.key) : ''
      let call = calls.get(group)
      if (call === undefined) calls.set(group, (call = { standings: [], keys: [], args: [] }))
      const { spec, quota } = standing.limit
      call.standings.push(standing)
      call.keys.push(this.#keyOf(spec, standing.key))
      const { cost, ahead } = standing.draft ?? { cost: standing.cost, ahead: 0 }
      call.args.push(...rateArguments(spec.rate), String(quota), String(cost), burstOf(spec.rate))
      call.args.push(String(ahead))
    }
    return [...calls.values()]
  }
}

/** What a cluster chooses the slot by: whom or what the limit counts, so that the limits of one caller lie together. */
function tagOf({ by }: LimitSpec, key: string): string {
  const words = by.map(source => ('name' in source ? `${source.kind}.${source.name}` : source.kind))
  return `${words.join('+')}|${key}`.replaceAll('%', '%25').replaceAll('{', '%7b').replaceAll('}', '%7d')
}

/** What makes the count another count. */
function signature(rate: Rate): string {
  if (rate.kind === 'calendar') return rate.unit
  return rate.kind === 'concurrent' ? '' : `${rate.kind}${rate.window}`
}

function rateArguments(rate: Rate): [string, string] {
  switch (rate.kind) {
    case 'calendar':
      return ['calendar', rate.unit]
    case 'sliding':
    case 'bucket':
      return [rate.kind, String(rate.window * 1000)]
    case 'concurrent':
      // The loader leaves these in the process.
      throw new Error('requests under way are not counted in a store')
  }
}

function burstOf(rate: Rate): string {
  return rate.kind === 'bucket' ? String(rate.burst) : '0'
}

/** Puts the script's answer into the standings. @returns whether all fit */
function read(answer: readonly number[], standings: readonly Standing[]): boolean {
  const fits = answer[0] === 1
  for (const [index, standing] of standings.entries()) {
    const at = 1 + index * 4
    const [left = 0, reset = 0, wait = 0, ahead = 0] = answer.slice(at, at + 4)
    standing.answered({ left, reset, wait, ahead }, fits)
  }
  return fits
}
