import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { PLACES } from '../../examples/grpc/ports.ts'
import { firstBusy, portsFrom } from '../../examples/quickstart/ports.ts'
import { curlStep, freeBase, startGuided, stepsOf } from '../harness/guided-run.ts'
import { needs } from '../harness/needs.ts'

const root = path.join(import.meta.dirname, '..', '..')

/** The calls of the guide, each with the lines that it promises. */
function callsOf(guide: string): readonly { readonly args: readonly string[]; readonly lines: string }[] {
  return [...guide.matchAll(/^ {2}node (examples\/grpc\/call\.ts .+)\n((?: {6}.+\n)+)/gm)].map(
    ([, command = '', lines = '']) => ({ args: command.split(' '), lines: lines.replaceAll(/^ {6}/gm, '') }),
  )
}

function run(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise(resolve => {
    const child = execFile(process.execPath, args, { cwd: root, timeout: 15_000 }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    )
  })
}

test(
  'examples/grpc: every command of the guide brings what it promises, and Ctrl-C ends all',
  needs('curl'),
  async () => {
    const base = await freeBase(PLACES)
    const example = startGuided('examples/grpc/start.ts', ['--port-base', String(base)])
    const guide = await example.printed(/Ctrl-C stops everything\./)
    const calls = callsOf(guide)
    assert.equal(calls.length, 6)
    const done = await Promise.all(calls.map(({ args }) => run(args)))
    calls.forEach(({ lines }, at) => {
      // Calls that are to fail are told by the code that the line begins with.
      assert.deepEqual(done[at], { code: /^\d+ [A-Z_]+:/.test(lines) ? 1 : 0, output: lines })
    })
    const steps = stepsOf(guide)
    assert.deepEqual(
      steps.map(({ status }) => status),
      [200, 200, 200, 200],
    )
    const answers = await Promise.all(steps.map(({ command }) => curlStep(command)))
    for (const { status, text } of answers) assert.equal(status, 200, text)
    const [order, web, nobody, upstreams] = answers
    assert.match(order?.body ?? '', /"customer":"Ada Byron"/)
    assert.match(Buffer.from(web?.body.split('gAAAA')[0] ?? '', 'base64').toString(), /Ada Byron/)
    assert.match(nobody?.text ?? '', /^grpc-status: 5\r$/m)
    assert.match(upstreams?.body ?? '', /"state": "healthy"/)
    await example.printed(/edge +\| .*\/shop\.Users\/Get .*grpc-status=5/)
    assert.deepEqual(await run(['examples/grpc/call.ts', 'fly']), {
      code: 2,
      output:
        'usage: node examples/grpc/call.ts get|watch|import|look WHAT... [--port 8000] [--host users]\n',
    })
    example.child.kill('SIGINT')
    assert.equal(await example.ended, 0, example.output())
    assert.equal(await firstBusy(portsFrom(PLACES, base)), null)
  },
)
