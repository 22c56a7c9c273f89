import { parseArgs } from 'node:util'

/** What a run of the benchmark was asked to do. */
export interface Options {
  /** Names of rows, lower case; all where none were given. */
  readonly rows: readonly string[]
  readonly seconds: number
  readonly rounds: number
  /** Names of contestants, lower case; null: all. */
  readonly only: readonly string[] | null
  /** Where the figures go as JSON. */
  readonly json: string | null
  /** A commit to compare this tree with. */
  readonly against: string | null
  /** Whether the best of the rounds stands in the tables instead of the median. */
  readonly best: boolean
}

export const USAGE = `npm run bench -- [ROW...] [options]

Rows: p1 (plain), p2 (guarded), tokens (new ones), p3 (added latency), p4 (TLS), p5 (memory), p6 (start), p7 (10,000 routes), p8 (1 GiB bodies), p10 and p10b (HTTP/2); without any, all.

  --only a,b         these contestants only, e.g. --only nginx,outrigger
  --seconds N        length of each load (5)
  --rounds N         how often each contestant has its turn (3; 10 with --against)
  --best             the best round of each instead of the median
  --json FILE        also write every figure there
  --against COMMIT   this tree, that commit and this tree again, p1 only
`

/** Reads the command line; throws with a line for the user. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      best: { type: 'boolean' },
      json: { type: 'string' },
      against: { type: 'string' },
    },
  })
  return {
    rows: positionals.map(row => row.toLowerCase()),
    seconds: wholeNumber('--seconds', values.seconds, 5),
    rounds: wholeNumber('--rounds', values.rounds, values.against === undefined ? 3 : 10),
    only: values.only?.toLowerCase().split(',') ?? null,
    json: values.json ?? null,
    against: values.against ?? null,
    best: values.best ?? false,
  }
}

function wholeNumber(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${option} is a whole number above zero, not "${text}"`)
  return value
}
