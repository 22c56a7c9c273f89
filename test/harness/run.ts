import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pinnedNode } from '../../bin/pinned-node.js'
import { CHECKS, runCheck } from './checks.ts'
import { killAll } from './child.ts'
import type { Program } from './needs.ts'
import { installLine } from './needs.ts'
import { addTo, emptyTally, tallyLine } from './tally.ts'
import type { Result } from './test-file.ts'
import { runTestFile } from './test-file.ts'

// `npm test [words]`, `npm run test:slow [words]`, the same with `:dist` and `:engine`, `npm run lint`. Words name test
// files: those whose path holds all of them run, without the checks, and what
// they measured is printed. Ends with `N passed, N failed, N skipped`; exit code 1 where anything failed.

const ROOT = path.resolve(import.meta.dirname, '..', '..')

interface Mode {
  readonly checks: boolean
  /** Which test files; null for none. */
  readonly files: ((file: string) => boolean) | null
  /** How many files run at once. */
  readonly width: number
  /** Milliseconds that one file may take. */
  readonly timeout: number
}

const isSlow = (file: string): boolean => file.endsWith('.slow.test.ts')
const isEngine = (file: string): boolean => file.endsWith('.engine.test.ts')
/**
 * Whether a test starts processes of Outrigger, itself or by what stands beside it; those run once more against the compiled
 * program.
 */
function startsProcesses(file: string): boolean {
  if (isSlow(file) || isEngine(file)) return false
  const text = readFileSync(file, 'utf8')
  // A test may also hold an import in a text: what is not there is none.
  const beside = [...text.matchAll(/ from '\.\/([^']+)'/g)]
    .map(([, name = '']) => path.join(path.dirname(file), name))
    .filter(name => existsSync(name))
    .map(name => readFileSync(name, 'utf8'))
  return [text, ...beside].some(one => /harness\/(?:outrigger|entry)\.ts'/.test(one))
}
/** How many of the slowest files a long run names. */
const TOLD_SLOW = 5
const WIDTH = Math.max(1, Math.min(4, os.availableParallelism()))

const MODES: Readonly<Record<string, Mode>> = {
  '': { checks: true, files: file => !isSlow(file) && !isEngine(file), width: WIDTH, timeout: 120_000 },
  '--lint': { checks: true, files: null, width: WIDTH, timeout: 120_000 },
  '--slow': { checks: false, files: isSlow, width: 1, timeout: 600_000 },
  '--dist': { checks: false, files: startsProcesses, width: WIDTH, timeout: 120_000 },
  '--engine': { checks: false, files: isEngine, width: 1, timeout: 600_000 },
}

interface Job {
  /** Its file, or the check's name. */
  readonly name: string
  /** The line of the summary it belongs to: a check's name, `unit`, or a folder under test/. */
  readonly part: string
  run(): Promise<Result>
}

async function main(): Promise<number> {
  const flag = process.argv.slice(2).find(argument => argument.startsWith('--')) ?? ''
  const words = process.argv.slice(2).filter(argument => !argument.startsWith('--'))
  const mode = MODES[flag]
  if (mode === undefined) {
    console.error(`unknown option ${flag}; there are ${Object.keys(MODES).join(' ').trim()}`)
    return 2
  }
  process.chdir(ROOT)
  if (flag === '--dist') process.env['OUTRIGGER_DIST'] = '1'
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'outrigger-test-'))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      killAll()
      rmSync(scratch, { recursive: true, force: true })
      process.exit(130)
    })
  }
  try {
    const jobs = [
      ...(mode.checks && words.length === 0 ? checkJobs() : []),
      ...testJobs(mode, words, scratch),
    ]
    if (jobs.length === 0 && words.length > 0) {
      console.error(`no test file has ${words.join(' and ')} in its path`)
      return 2
    }
    return await runJobs(jobs, mode.width, words.length > 0)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function checkJobs(): Job[] {
  return CHECKS.map(check => ({
    name: check.name,
    part: check.name,
    run: () => runCheck(check, ROOT, process.env),
  }))
}

function testJobs(mode: Mode, words: readonly string[], scratch: string): Job[] {
  const { files: wanted, timeout } = mode
  if (wanted === null) return []
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // Memory of the shared read buffer is overwritten after use, so that a test sees whoever kept a part of it.
    OUTRIGGER_POISON: '1',
    // Each file is a process of its own, and starts others: what one has compiled the next ones read.
    NODE_COMPILE_CACHE: path.join(ROOT, 'node_modules', '.cache', 'outrigger-tests'),
  }
  delete env['NODE_OPTIONS']
  return globSync('{sidecar,injector,examples,bench,test}/**/*.test.ts', { exclude: ['**/node_modules'] })
    .filter(file => wanted(file) && words.every(word => file.includes(word)))
    .toSorted()
    .map(file => ({ name: file, part: partOf(file), run: () => runTestFile(file, scratch, env, timeout) }))
}

function partOf(file: string): string {
  const [top, second] = file.split(path.sep)
  if (top !== 'test' || second === undefined) return 'unit'
  return second.endsWith('.ts') ? 'house' : second
}

/**
 * Runs the jobs in order, `width` at a time; prints failures as they come and each part when its last job ended.
 * @param tell whether what tests measured is printed as well
 */
async function runJobs(jobs: readonly Job[], width: number, tell: boolean): Promise<number> {
  const sum = emptyTally()
  const waiting = new Map<Program, number>()
  const times: (readonly [name: string, seconds: number])[] = []
  const parts = new Map<string, { left: number; start: number; files: number; tally: typeof sum }>()
  for (const { part } of jobs) {
    const entry = parts.get(part) ?? { left: 0, start: -1, files: 0, tally: emptyTally() }
    parts.set(part, { ...entry, left: entry.left + 1, files: entry.files + 1 })
  }
  const queue = jobs.values()
  const work = async (): Promise<void> => {
    for (const job of queue) {
      const part = parts.get(job.part)
      if (part === undefined) throw new Error(`no part ${job.part}`)
      if (part.start < 0) part.start = performance.now()
      const result = await job.run()
      times.push([job.name, result.seconds])
      addTo(sum, result.tally)
      addTo(part.tally, result.tally)
      for (const programs of result.missing) {
        for (const program of programs) waiting.set(program, (waiting.get(program) ?? 0) + 1)
      }
      if (result.report !== '') console.log(`\n${result.report}`)
      else if (tell) for (const line of result.said) console.log(line)
      if (--part.left > 0) continue
      const seconds = ((performance.now() - part.start) / 1000).toFixed(1)
      console.log(`${job.part.padEnd(12)} ${seconds.padStart(6)} s  ${tallyLine(part.tally)}`)
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  for (const [program, count] of waiting) {
    console.log(
      `missing ${program}: ${count} ${count === 1 ? 'test waits' : 'tests wait'} for it: ${installLine(program)}`,
    )
  }
  if (jobs.length > 2 * TOLD_SLOW) console.log(`slowest: ${slowest(times)}`)
  console.log(tallyLine(sum))
  return sum.failed === 0 ? 0 : 1
}

function slowest(times: readonly (readonly [name: string, seconds: number])[]): string {
  const sorted = times.toSorted(([, a], [, b]) => b - a).slice(0, TOLD_SLOW)
  return sorted.map(([name, seconds]) => `${name} ${seconds.toFixed(1)} s`).join(', ')
}

/** Starts this program again under the pinned Node where this one is too old; its exit code, or null where it is not. */
function underPinnedNode(): number | null {
  if (Number(process.versions.node.split('.')[0]) >= 26) return null
  const node = pinnedNode()
  if (node === null) {
    console.error(`the tests need Node 26; this is ${process.version}. Run "npm ci" first.`)
    return 2
  }
  return spawnSync(node, process.argv.slice(1), { stdio: 'inherit' }).status ?? 1
}

process.exitCode = underPinnedNode() ?? (await main())
