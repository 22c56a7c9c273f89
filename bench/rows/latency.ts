import { readFileSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Contestant, Place } from '../contestant.ts'
import { caddy } from '../contestants/caddy.ts'
import { envoy } from '../contestants/envoy.ts'
import { haproxy } from '../contestants/haproxy.ts'
import { nginx } from '../contestants/nginx.ts'
import {
  missingIn,
  plainConfiguration,
  startOutrigger,
  THIS_TREE,
  type Ready,
} from '../contestants/outrigger.ts'
import { longestTurn } from '../event-loop.ts'
import { run } from '../program.ts'
import { assemble, dismiss, type Bench, type Row } from '../row.ts'
import { median, percentile } from '../statistics.ts'
import { digits } from '../table.ts'

const CLIENTS = 10
const RATE_PER_CLIENT = 100

/** Response times of one run at the steady rate, in milliseconds, and how many requests failed. */
interface Times {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
  readonly failures: number
}

interface Series {
  readonly name: string
  readonly port: number
  readonly runs: Times[]
}

/** The plain configuration; the collector's pauses go to standard output. */
const traced = ({ folder, origin }: Place): Promise<Ready> =>
  startOutrigger({ name: 'Outrigger', folder, config: plainConfiguration(origin), flags: ['--trace-gc'] })

/** P3: what a proxy adds to the response time at a steady 1,000 requests a second. */
export const latency: Row = {
  name: 'p3',
  run: async bench => {
    const { rounds, seconds, best } = bench.options
    let trace = { file: '', from: 0, admin: 0 }
    const outrigger: Contestant = {
      name: 'Outrigger',
      missing: () => missingIn(THIS_TREE),
      start: async place => {
        const ready = await traced(place)
        trace = { file: path.join(place.folder, 'stdout.log'), from: 0, admin: ready.admin }
        return ready
      },
    }
    const field = await assemble(bench, [nginx(), haproxy, envoy, caddy, outrigger])
    try {
      const direct: Series = { name: 'direct', port: bench.origin.port, runs: [] }
      const series = [
        direct,
        ...field.entries.map(({ name, entry }) => ({ name, port: entry.port, runs: new Array<Times>() })),
      ]
      for (const one of series) await steady(bench, one, 1)
      if (trace.file !== '') {
        trace.from = statSync(trace.file).size
        await longestTurn(trace.admin)
      }
      for (let round = 1; round <= rounds; round++)
        for (const one of series) {
          const times = await steady(bench, one, seconds)
          one.runs.push(times)
          bench.say(
            `round ${round} of ${rounds}: ${one.name}: p50 ${times.p50.toFixed(2)} ms, p99 ${times.p99.toFixed(2)} ms`,
          )
        }
      const pick = best ? (values: readonly number[]): number => Math.min(...values) : median
      const cell = (one: Series, key: keyof Times): number => pick(one.runs.map(times => times[key]))
      const added = (one: Series, key: keyof Times): string =>
        one === direct ? '' : digits(cell(one, key) - cell(direct, key), 2)
      const collector = trace.file === '' ? [] : [await causes(trace)]
      const failed = series.filter(one => one.runs.some(times => times.failures > 0))
      return {
        figures: { series, collector },
        table: {
          title: `P3 response time at ${CLIENTS * RATE_PER_CLIENT} requests a second, ${CLIENTS} connections (${best ? 'best' : 'median'} of ${rounds} x ${seconds} s)`,
          columns: ['proxy', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms', 'added p50', 'added p99'],
          rows: series.map(one => [
            one.name,
            ...(['p50', 'p90', 'p99', 'max'] as const).map(key => digits(cell(one, key), 2)),
            added(one, 'p50'),
            added(one, 'p99'),
          ]),
          notes: [...collector, ...failed.map(one => `${one.name}: some requests failed`), ...field.notes],
        },
      }
    } finally {
      await dismiss(field)
    }
  },
}

async function steady(bench: Bench, target: { port: number }, seconds: number): Promise<Times> {
  const log = path.join(bench.folder, 'h2load.log')
  // h2load appends.
  rmSync(log, { force: true })
  await run('h2load', [
    '--h1',
    `-c${CLIENTS}`,
    `--rps=${RATE_PER_CLIENT}`,
    `-n${CLIENTS * RATE_PER_CLIENT * seconds}`,
    `--log-file=${log}`,
    `http://127.0.0.1:${target.port}/`,
  ])
  return readTimes(readFileSync(log, 'utf8'))
}

/** Reads h2load's log: start in microseconds, status, response time in microseconds, a request a line. */
export function readTimes(log: string): Times {
  const times: number[] = []
  let failures = 0
  for (const line of log.trimEnd().split('\n')) {
    const [, status, microseconds] = line.split('\t')
    if (status !== '200') failures++
    else times.push(Number(microseconds) / 1000)
  }
  return {
    p50: percentile(times, 50),
    p90: percentile(times, 90),
    p99: percentile(times, 99),
    max: percentile(times, 100),
    failures,
  }
}

/** What Outrigger's process did meanwhile that makes a long tail: the collector's pauses, the longest turn of its loop. */
async function causes(trace: { file: string; from: number; admin: number }): Promise<string> {
  const text = readFileSync(trace.file).subarray(trace.from).toString('utf8')
  const pauses = [
    ...text.matchAll(/: (Scavenge|Mark-Compact)[^\n]*? MB, (?:pooled: [^,]*, )?([\d.]+) \/ [\d.]+ ms/g),
  ]
  const longest = Math.max(0, ...pauses.map(([, , milliseconds]) => Number(milliseconds)))
  const full = pauses.filter(([, kind]) => kind === 'Mark-Compact').length
  const turn = digits(await longestTurn(trace.admin), 1)
  return `Outrigger: ${pauses.length} pauses of the collector (${full} full ones), the longest ${longest.toFixed(1)} ms; longest turn of the event loop ${turn} ms`
}
