import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { firstBusy, PLACES, portsFrom } from '../../examples/quickstart/ports.ts'
import { curlStep, freeBase, type GuideStep, startGuided, stepsOf } from '../harness/guided-run.ts'
import { needs } from '../harness/needs.ts'

const root = path.join(import.meta.dirname, '..', '..')
const quickstart = path.join(root, 'examples', 'quickstart')
const START = 'examples/quickstart/start.ts'
const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-quickstart-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test(
  'the printed commands give what they promise, a changed file takes effect, Ctrl-C stops it',
  needs('curl'),
  async () => {
    const config = path.join(folder, 'config')
    cpSync(path.join(quickstart, 'config'), config, { recursive: true })
    const base = await freeBase(PLACES)
    const run = startGuided(START, ['--port-base', String(base), '--config', config])
    const guide = await run.printed(/Ctrl-C stops everything\./)
    const steps = stepsOf(guide)
    assert.equal(steps.length, 9)
    for (const { command, status } of steps) {
      const answer = await curlStep(command)
      if (status === null) assert.ok(answer.body.length > 0, command.join(' '))
      else assert.equal(answer.status, status, `${command.join(' ')}\n${answer.text}`)
    }
    const joined = await curlStep(commandFor(steps, '/api/orders/1'))
    assert.deepEqual(JSON.parse(joined.body), {
      id: '1',
      userId: '1',
      item: 'tea',
      quantity: 2,
      customer: 'Ada Byron',
    })
    const unknown = await curlStep(commandFor(steps, '/nowhere'))
    assert.match(unknown.text, /content-type: application\/problem\+json/i)
    const problem: unknown = JSON.parse(unknown.body)
    assert.ok(typeof problem === 'object' && problem !== null && 'reason' in problem)
    assert.equal(problem.reason, 'no_route')

    const [, file = '', line = '', text = ''] =
      /serves: in (\S+)\s+line (\d+), replace "([^"]+)"/.exec(guide) ?? []
    const lines = readFileSync(path.resolve(root, file), 'utf8').split('\n')
    assert.ok(lines[Number(line) - 1]?.includes(text), 'the guide names the line')
    writeFileSync(path.resolve(root, file), lines.join('\n').replace(text, 'Changed'))
    const hello = commandFor(steps, '/hello')
    const deadline = performance.now() + 5000
    while (!(await curlStep(hello)).body.includes('Changed')) {
      assert.ok(performance.now() < deadline, `no reload within 5 s:\n${run.output()}`)
      await pause(20)
    }

    run.child.kill('SIGINT')
    assert.equal(await run.ended, 0, run.output())
    assert.equal(await firstBusy(portsFrom(PLACES, base)), null)
  },
)

test('a port in use is named, with the way out', async () => {
  const base = await freeBase(PLACES)
  const server = net.createServer().listen(base + 1, '127.0.0.1')
  await once(server, 'listening')
  try {
    const run = startGuided(START, ['--port-base', String(base)])
    assert.equal(await run.ended, 3)
    assert.match(run.output(), new RegExp(`Port ${base + 1} .* in use .*npm start -- --port-base 18000`, 's'))
  } finally {
    server.close()
  }
})

test('a member that cannot start stops the rest', async () => {
  const config = path.join(folder, 'broken')
  cpSync(path.join(quickstart, 'config'), config, { recursive: true })
  writeFileSync(path.join(config, 'users', 'outrigger.yaml'), 'version: 1\nlistenerz: []\n')
  const run = startGuided(START, ['--port-base', String(await freeBase(PLACES)), '--config', config])
  assert.equal(await run.ended, 1, run.output())
  assert.match(run.output(), /users-sidecar ended by itself \(exit code 1\)/)
})

function commandFor(steps: readonly GuideStep[], target: string): readonly string[] {
  const step = steps.find(({ command }) => command.at(-1)?.endsWith(target))
  assert.ok(step, `no command for ${target}`)
  return step.command
}
