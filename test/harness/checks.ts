import path from 'node:path'
import { runChild } from './child.ts'
import type { Result } from './test-file.ts'

/** A check of the source that runs no code of ours. */
export interface Check {
  readonly name: string
  /** The tool's script, under node_modules; run with this Node, so that no shell and no shebang is needed. */
  readonly script: string
  readonly args: readonly string[]
}

/** Our folders. The tools are restricted to them: oxlint would else read node_modules. */
export const FOLDERS = ['sidecar', 'injector', 'examples', 'test', 'bench', 'bin']

/** The slowest first, so that two cores are done at about the same time. */
export const CHECKS: readonly Check[] = [
  {
    name: 'lint',
    script: 'oxlint/bin/oxlint',
    args: ['--type-aware', '--deny-warnings', ...FOLDERS],
  },
  { name: 'types', script: 'typescript/bin/tsc', args: ['--noEmit'] },
  {
    name: 'format',
    script: 'prettier/bin/prettier.cjs',
    // Files whose content it has judged before are not judged again.
    args: [
      ...['--check', '--log-level=warn', '--cache', '--cache-strategy=content'],
      ...['--cache-location=node_modules/.cache/outrigger-prettier', '.'],
    ],
  },
  { name: 'unused', script: 'knip/bin/knip.js', args: ['--no-progress', '--no-config-hints'] },
]

/** Runs one check; it counts as one test. */
export async function runCheck(check: Check, root: string, env: NodeJS.ProcessEnv): Promise<Result> {
  const script = path.join(root, 'node_modules', check.script)
  // What it prints may end up in a log: no colours.
  const plain = { ...env, NO_COLOR: '1', FORCE_COLOR: undefined }
  const end = await runChild(process.execPath, [script, ...check.args], plain, 180_000)
  const failed = end.code === 0 ? 0 : 1
  const how = end.timedOut ? 'did not end within 180 s' : `exit code ${end.code ?? end.signal}`
  return {
    tally: { passed: 1 - failed, failed, skipped: 0 },
    seconds: end.seconds,
    report: failed === 0 ? '' : `FAILED ${check.name} (${how})\n${end.output.trimEnd()}\n`,
    said: [],
    missing: [],
  }
}
