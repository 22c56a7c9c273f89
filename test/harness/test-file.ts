import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { runChild } from './child.ts'
import type { Program } from './needs.ts'
import { neededBy } from './needs.ts'
import type { Said, Verdict } from './reporter.ts'
import { addTo, emptyTally } from './tally.ts'
import type { Tally } from './tally.ts'

/** What came of one test file, or of one static check. */
export interface Result {
  readonly tally: Tally
  readonly seconds: number
  /** What to print where something failed; empty otherwise. */
  readonly report: string
  /** What its tests said by `diagnostic`, a line each. */
  readonly said: readonly string[]
  /** For each skipped test the programs that it waits for. */
  readonly missing: Program[][]
}

const REPORTER = path.join(import.meta.dirname, 'reporter.ts')

/**
 * Runs one test file in a process of its own. A file that crashes, hangs, or holds no test counts as one failure.
 * @param scratch a folder for the verdicts
 * @param timeout in milliseconds, for the whole file
 */
export async function runTestFile(
  file: string,
  scratch: string,
  env: NodeJS.ProcessEnv,
  timeout: number,
): Promise<Result> {
  const verdictFile = path.join(scratch, file.replaceAll(path.sep, '+') + '.jsonl')
  const end = await runChild(
    process.execPath,
    ['--test-reporter', REPORTER, '--test-reporter-destination', verdictFile, file],
    env,
    timeout,
  )
  const lines = readLines(verdictFile)
  const verdicts = lines.flatMap(line => ('said' in line ? [] : [line]))
  const said = lines.flatMap(line => ('said' in line ? [line.said] : []))
  const tally = emptyTally()
  const missing: Program[][] = []
  const failures: string[] = []
  for (const verdict of verdicts) {
    tally[verdict.outcome]++
    if (verdict.outcome === 'skipped') missing.push(neededBy(verdict.reason))
    if (verdict.outcome === 'failed') {
      failures.push(`  ${verdict.name}\n  at ${verdict.place}\n${indent(verdict.error)}`)
    }
  }
  const wrong = fileFailure(end, verdicts, timeout)
  if (wrong !== null) {
    addTo(tally, { passed: 0, failed: 1, skipped: 0 })
    failures.push(`  ${wrong}`)
  }
  const output = end.output.trim() === '' ? '' : `\n  its output:\n${indent(end.output.trimEnd())}`
  const report = failures.length === 0 ? '' : `FAILED ${file}\n${failures.join('\n\n')}${output}\n`
  const waiting = missing.filter(programs => programs.length > 0)
  return { tally, seconds: end.seconds, report, said, missing: waiting }
}

/** What is wrong with the file as a whole, beyond the tests in it that failed. */
function fileFailure(
  end: { code: number | null; signal: string | null; timedOut: boolean },
  verdicts: Verdict[],
  timeout: number,
): string | null {
  const last = verdicts.at(-1)
  if (end.timedOut) {
    const where = last === undefined ? 'no test ended' : `the last test that ended: ${last.name}`
    return `did not end within ${timeout / 1000} s: a test hangs or left something open (${where})`
  }
  if (verdicts.length === 0 && end.code === 0) return 'holds no test'
  if (end.code === 0 || verdicts.some(verdict => verdict.outcome === 'failed')) return null
  return end.signal === null ? `ended with exit code ${end.code}` : `ended by ${end.signal}`
}

function readLines(file: string): (Verdict | Said)[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return [] // it ended before the reporter began
  }
  rmSync(file)
  const lines: (Verdict | Said)[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    try {
      lines.push(JSON.parse(line) as Verdict | Said) // our own reporter wrote it
    } catch {
      // a last line cut off by a kill
    }
  }
  return lines
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
