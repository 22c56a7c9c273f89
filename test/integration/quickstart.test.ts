import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { firstBusy, portsFrom } from '../../examples/quickstart/ports.ts'
import { needs } from '../harness/needs.ts'

const root = path.join(import.meta.dirname, '..', '..')
const quickstart = path.join(root, 'examples', 'quickstart')
const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-quickstart-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A command of the guide, with the status that the line below it promises; null where it promises none. */
interface Step {
  readonly command: readonly string[]
  readonly status: number | null
}

test(
  'the printed commands give what they promise, a changed file takes effect, Ctrl-C stops it',
  needs('curl'),
  async () => {
    const config = path.join(folder, 'config')
    cpSync(path.join(quickstart, 'config'), config, { recursive: true })
    const base = await freeBase()
    const run = start(['--port-base', String(base), '--config', config])
    const guide = await run.printed(/Ctrl-C stops everything\./)
    const steps = stepsOf(guide)
    assert.equal(steps.length, 9)
    for (const { command, status } of steps) {
      const answer = await curl(command)
      if (status === null) assert.ok(answer.body.length > 0, command.join(' '))
      else assert.equal(answer.status, status, `${command.join(' ')}\n${answer.text}`)
    }
    const joined = await curl(commandFor(steps, '/api/orders/1'))
    assert.deepEqual(JSON.parse(joined.body), {
      id: '1',
      userId: '1',
      item: 'tea',
      quantity: 2,
      customer: 'Ada Byron',
    })
    const unknown = await curl(commandFor(steps, '/nowhere'))
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
    while (!(await curl(hello)).body.includes('Changed')) {
      assert.ok(performance.now() < deadline, `no reload within 5 s:\n${run.output()}`)
      await pause(20)
    }

    run.child.kill('SIGINT')
    assert.equal(await run.ended, 0, run.output())
    assert.equal(await firstBusy(portsFrom(base)), null)
  },
)

test('a port in use is named, with the way out', async () => {
  const base = await freeBase()
  const server = net.createServer().listen(base + 1, '127.0.0.1')
  await once(server, 'listening')
  try {
    const run = start(['--port-base', String(base)])
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
  const run = start(['--port-base', String(await freeBase()), '--config', config])
  assert.equal(await run.ended, 1, run.output())
  assert.match(run.output(), /users-sidecar ended by itself \(exit code 1\)/)
})

interface Run {
  readonly child: ChildProcess
  /** The exit code. */
  readonly ended: Promise<number | null>
  readonly output: () => string
  /** Resolves with everything printed as soon as it holds the pattern. */
  readonly printed: (pattern: RegExp) => Promise<string>
}

function start(args: readonly string[]): Run {
  const child = spawn(process.execPath, [path.join(quickstart, 'start.ts'), ...args], { cwd: root })
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
function stepsOf(guide: string): readonly Step[] {
  return [...guide.matchAll(/^ {2}curl (.+)\n(?: {6}(\d{3}): )?/gm)].map(([, line = '', status]) => ({
    command: [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''),
    status: status === undefined ? null : Number(status),
  }))
}

function commandFor(steps: readonly Step[], target: string): readonly string[] {
  const step = steps.find(({ command }) => command.at(-1)?.endsWith(target))
  assert.ok(step, `no command for ${target}`)
  return step.command
}

async function curl(args: readonly string[]): Promise<{ status: number; text: string; body: string }> {
  const { stdout } = await promisify(execFile)('curl', ['-s', '--max-time', '10', ...args])
  const head = /^HTTP\/1\.1 (\d{3})[\s\S]*?\r\n\r\n/.exec(stdout)
  return { status: Number(head?.[1]), text: stdout, body: stdout.slice(head?.[0].length ?? 0) }
}

/** A base whose ports are all free, below the range that systems give to clients. */
async function freeBase(): Promise<number> {
  for (;;) {
    const base = 10_000 + Math.floor(Math.random() * 12_000)
    if ((await firstBusy(portsFrom(base))) === null) return base
  }
}
