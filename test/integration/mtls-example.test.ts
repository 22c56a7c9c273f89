import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { PLACES } from '../../examples/mtls/ports.ts'
import { firstBusy, portsFrom } from '../../examples/quickstart/ports.ts'
import { curlStep, freeBase, startGuided, stepsOf } from '../harness/guided-run.ts'
import { needs } from '../harness/needs.ts'

test(
  'examples/mtls: orders may call users, the intruder may not, nobody gets in without a certificate',
  needs('curl'),
  async () => {
    const base = await freeBase(PLACES)
    const run = startGuided('examples/mtls/start.ts', ['--port-base', String(base)])
    const guide = await run.printed(/Ctrl-C stops everything\./)
    const steps = stepsOf(guide)
    assert.deepEqual(
      steps.map(({ status }) => status),
      [200, 200, 403, null],
    )
    for (const { command, status } of steps) {
      if (status === null) {
        await assert.rejects(curlStep(command), ({ code }) => code === 56 || code === 35)
        continue
      }
      const answer = await curlStep(command)
      assert.equal(answer.status, status, `${command.join(' ')}\n${answer.text}`)
      assert.match(answer.body, status === 200 ? /Ada Byron/ : /"reason":"forbidden"/)
    }
    await run.printed(/users-sidecar +\| .*403.*forbidden/)
    const [, folder = ''] = /The certificates are in (\S+)/.exec(guide) ?? []
    assert.ok(existsSync(`${folder}/intruder.key`))
    run.child.kill('SIGINT')
    assert.equal(await run.ended, 0, run.output())
    assert.equal(await firstBusy(portsFrom(PLACES, base)), null)
    assert.equal(existsSync(folder), false)
  },
)
