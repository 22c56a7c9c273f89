import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { after } from 'node:test'
import { promisify } from 'node:util'
import path from 'node:path'
import { firstBusy, type Place, portsFrom } from '../../examples/quickstart/ports.ts'

const root = path.join(import.meta.dirname, '..', '..')

/** An example that runs and has printed what to try. */
export interface GuidedRun {
  readonly child: ChildProcess
  /** The exit code. */
  readonly ended: Promise<number | null>
  readonly output: () => string
  /** Resolves with everything printed as soon as it holds the pattern. */
  readonly printed: (pattern: RegExp) => Promise<string>
}

/** A command of a guide, with the status that the line below it promises; null where it promises none. */
export interface GuideStep {
  readonly command: readonly string[]
  readonly status: number | null
}

/** Starts a script of an example, and stops it when the tests of the file are over. */
export function startGuided(script: string, args: readonly string[]): GuidedRun {
  const child = spawn(process.execPath, [path.join(root, script), ...args], { cwd: root })
  // Whatever happens to the test: SIGTERM, so that the members are stopped too.
  after(() => child.kill('SIGTERM'))
  let text = ''
  let look = (): void => {}
  const take = (part: Buffer): void => {
    text += part.toString()
    look()
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const ended = once(child, 'close').then(() => child.exitCode)
  const printed = (pattern: RegExp): Promise<string> =>
    Promise.race([
      new Promise<string>(resolve => {
        look = () => {
          if (pattern.test(text)) resolve(text)
        }
        look()
      }),
      ended.then(code => assert.fail(`ended with ${code}:\n${text}`)),
    ])
  return { child, ended, output: () => text, printed }
}

/** The commands as a reader would copy them, taken apart as a shell would. */
export function stepsOf(guide: string): readonly GuideStep[] {
  return [...guide.matchAll(/^ {2}curl (.+)\n(?: {6}(\d{3}): )?/gm)].map(([, line = '', status]) => ({
    command: [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''),
    status: status === undefined ? null : Number(status),
  }))
}

/** Runs curl with the arguments of a step. */
export async function curlStep(
  args: readonly string[],
): Promise<{ status: number; text: string; body: string }> {
  const { stdout } = await promisify(execFile)('curl', ['-s', '--max-time', '10', ...args])
  const head = /^HTTP\/[\d.]+ (\d{3})[\s\S]*?\r\n\r\n/.exec(stdout)
  return { status: Number(head?.[1]), text: stdout, body: stdout.slice(head?.[0].length ?? 0) }
}

/** A base whose ports are all free, below the range that systems give to clients. */
export async function freeBase(places: readonly Place[]): Promise<number> {
  for (;;) {
    const base = 10_000 + Math.floor(Math.random() * 12_000)
    if ((await firstBusy(portsFrom(places, base))) === null) return base
  }
}
