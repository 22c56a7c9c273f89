// The benchmark. See README.md beside this file, and docs/performance.md for the figures.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { against } from './against.ts'
import { programPath } from '../test/harness/needs.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { startOrigin } from './origin.ts'
import { LOAD_CORE } from './program.ts'
import type { Bench, Row, RowResult } from './row.ts'
import { guarded } from './rows/guarded.ts'
import { latency } from './rows/latency.ts'
import { memoryRow } from './rows/memory.ts'
import { plain } from './rows/plain.ts'
import { routes } from './rows/routes.ts'
import { secure } from './rows/secure.ts'
import { start } from './rows/start.ts'
import { connections, streams } from './rows/streams.ts'
import { tokens } from './rows/tokens.ts'
import { transfer } from './rows/transfer.ts'
import { markdown } from './table.ts'

const rows: readonly Row[] = [
  plain,
  guarded,
  tokens,
  latency,
  secure,
  memoryRow,
  start,
  routes,
  transfer,
  streams,
  connections,
]

const options = read()
const problem = whyNotHere()
if (problem !== null) refuse(problem)
// Everything but the measured proxy shares the other core, this process included.
execFileSync('taskset', ['-cp', String(LOAD_CORE), String(process.pid)])

const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-bench-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const origin = await startOrigin(folder)
const bench: Bench = { options, origin, folder, say: line => process.stderr.write(`${line}\n`) }
const results: Record<string, RowResult> = {}
for (const row of chosenRows(options)) {
  bench.say(`== ${row.name}`)
  const result = await row.run(bench)
  results[row.name] = result
  console.log(markdown(result.table))
}
if (options.json !== null)
  writeFileSync(options.json, JSON.stringify({ machine: machine(), results }, null, 2))
await origin.program.stop()
process.exit(0)

function chosenRows({ rows: names, against: commit }: Options): readonly Row[] {
  if (commit !== null) return [against(commit)]
  const unknown = names.find(name => !rows.some(row => row.name === name))
  if (unknown !== undefined)
    refuse(`There is no row "${unknown}"; there are ${rows.map(row => row.name).join(', ')}.`)
  return names.length === 0 ? rows : rows.filter(row => names.includes(row.name))
}

function read(): Options {
  if (process.argv.includes('--help')) {
    console.log(USAGE)
    process.exit(0)
  }
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  }
}

function whyNotHere(): string | null {
  if (process.platform !== 'linux')
    return 'The benchmark runs on Linux only: it pins processes to cores and reads /proc.'
  if (os.cpus().length < 2)
    return 'The benchmark needs two cores: one for the proxy, one for the load and the upstream.'
  const needed = { taskset: 'util-linux', wrk: 'wrk', h2load: 'nghttp2-client', nginx: 'nginx' }
  const missing = Object.entries(needed).filter(([program]) => programPath(program) === null)
  if (missing.length === 0) return null
  const names = missing.map(([program]) => program).join(', ')
  return `The benchmark needs ${names}: apt-get install ${missing.map(([, name]) => name).join(' ')}`
}

function machine(): unknown {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  }).trim()
  return {
    commit,
    node: process.version,
    cpu: os.cpus()[0]?.model,
    cores: os.cpus().length,
    kernel: os.release(),
  }
}

function refuse(message: string): never {
  console.error(message)
  process.exit(2)
}
