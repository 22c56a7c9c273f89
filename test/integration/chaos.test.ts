// The chaos example runs, and what it shows is so: with Outrigger more is answered than without.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { after, test } from 'node:test'

const root = path.join(import.meta.dirname, '..', '..')

/** Runs the example. @param stopAt ended by a Ctrl-C as soon as it has printed this */
async function chaos(
  args: readonly string[],
  stopAt?: RegExp,
): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, [path.join(root, 'examples', 'chaos', 'start.ts'), ...args], {
    cwd: root,
  })
  after(() => child.kill('SIGTERM'))
  let text = ''
  let stopped = false
  const take = (part: Buffer): void => {
    text += part.toString()
    if (stopped || stopAt?.test(text) !== true) return
    stopped = true
    child.kill('SIGINT')
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  await once(child, 'close')
  return { code: child.exitCode, text }
}

test('each phase prints its line, and more is answered with Outrigger than without', async t => {
  const { code, text } = await chaos(['--seconds', '6', '--rate', '60'])
  assert.equal(code, 0, text)
  for (const line of text.split('\n')) t.diagnostic(line)
  for (const phase of ['well', 'slow a', 'failing b', 'flapping c', 'dead a'])
    assert.match(text, new RegExp(`^${phase} +\\d+\\.\\d % +\\d+ ms +\\d+ ms .*\\d+\\.\\d % +\\d+ ms`, 'm'))
  const [, directly, through] =
    /Answered well: ([\d.]+) % directly, ([\d.]+) % through Outrigger/.exec(text) ?? []
  assert.ok(Number(through) > Number(directly), text)
  assert.match(text, /outrigger: an endpoint is ejected: [abc] \(/)
})

test('Ctrl-C ends it and all that it started', async () => {
  const { code, text } = await chaos([], /through Outrigger/)
  assert.equal(code, 0, text)
  const port = Number(/127\.0\.0\.1:(\d+)\/upstreams/.exec(text)?.[1])
  // The proxy is ended with the process that started it, and the kernel has its own time for that.
  const deadline = performance.now() + 2000
  while ((await connectError(port)) !== 'ECONNREFUSED')
    assert.ok(performance.now() < deadline, `something still listens at ${port}`)
})

test('a number that is none is usage', async () => {
  for (const args of [['--seconds', 'x'], ['--rate', '0'], ['--nope']]) {
    const { code, text } = await chaos(args)
    assert.equal(code, 2)
    assert.match(text, /Usage: node examples\/chaos\/start\.ts/)
  }
})

/** Why nobody can be reached there; null where somebody can. */
async function connectError(port: number): Promise<string | null> {
  const socket = net.connect(port, '127.0.0.1')
  const code = await new Promise<string | null>(resolve => {
    socket.on('connect', () => resolve(null))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
  socket.destroy()
  return code
}
