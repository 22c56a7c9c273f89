import type { LimitStore, Standing } from '../limit-set.ts'
import type { Rate, StoreSpec } from '../schema.ts'
import type { RedisConnection } from './connection.ts'

/** Limits that one call of the script counts together. */
interface Call {
  readonly standings: Standing[]
  readonly keys: string[]
  readonly args: string[]
}

/** A Redis in which several processes count together. */
export class RedisStore implements LimitStore {
  readonly spec: Pick<StoreSpec, 'cluster' | 'prefix' | 'onError'>
  readonly #connection: Pick<RedisConnection, 'ready' | 'run' | 'close'>

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

  close(): void {
    this.#connection.close()
  }

  #calls(standings: readonly Standing[]): Call[] {
    const calls = new Map<string, Call>()
    for (const standing of standings) {
      const tag = tagOf(standing)
      const group = this.spec.cluster ? tag : ''
      let call = calls.get(group)
      if (call === undefined) calls.set(group, (call = { standings: [], keys: [], args: [] }))
      const { spec, quota } = standing.limit
      call.standings.push(standing)
      call.keys.push(`${this.spec.prefix}{${tag}}${spec.scope}:${spec.name}:${signature(spec.rate)}`)
      const { cost, ahead } = standing.draft ?? { cost: standing.cost, ahead: 0 }
      call.args.push(...rateArguments(spec.rate), String(quota), String(cost), burstOf(spec.rate))
      call.args.push(String(ahead))
    }
    return [...calls.values()]
  }
}

/** What a cluster chooses the slot by: whom or what the limit counts, so that the limits of one caller lie together. */
function tagOf({ limit, key }: Standing): string {
  const words = limit.spec.by.map(source =>
    'name' in source ? `${source.kind}.${source.name}` : source.kind,
  )
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
