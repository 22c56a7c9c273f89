import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { loadConfig } from './load/load.ts'
import { Loader } from './loader.ts'
import type { LoaderSettings } from './loader.ts'

function setUp(context: TestContext, settings: LoaderSettings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-loader-'))
  const loader = new Loader(settings)
  context.after(() => {
    loader.close()
    rmSync(folder, { recursive: true })
  })
  const routes = Array.from(
    { length: 450 },
    (_, i) => `      - { name: r${i}, match: { path: /r${i} }, upstream: u${i % 250} }`,
  )
  const upstreams = Array.from({ length: 250 }, (_, i) => `  u${i}: { url: "http://u${i}" }`)
  const file = join(folder, 'edge.yaml')
  writeFileSync(
    file,
    `version: 1\nservice: edge\nlisteners:\n  - name: a\n    role: edge\n    address: ":1"\n    routes:\n${routes.join('\n')}\nupstreams:\n${upstreams.join('\n')}\n`,
  )
  return { folder, file, loader }
}

test('what comes in pieces from the child is what loading gives', { timeout: 20_000 }, async context => {
  const { file, loader } = setUp(context)
  assert.deepEqual(await loader.load([file], { secrets: true }), loadConfig([file], { secrets: true }))
})

test('errors come whole, and loads wait for each other', { timeout: 20_000 }, async context => {
  const { folder, file, loader } = setUp(context)
  const wrong = join(folder, 'wrong.yaml')
  writeFileSync(wrong, 'version: 2\n')
  const [first, second, third] = await Promise.all([
    loader.load([wrong], { secrets: true }),
    loader.load([file], { secrets: true }),
    loader.load([file], { secrets: true, env: 'nowhere' }),
  ])
  assert.deepEqual(first, loadConfig([wrong], { secrets: true }))
  assert.ok(second.ok)
  assert.ok(!third.ok)
})

test('a child that is killed while it rests is replaced', { timeout: 20_000 }, async context => {
  const { file, loader } = setUp(context)
  assert.ok((await loader.load([file], { secrets: true })).ok)
  const pid = loader.pid
  assert.ok(pid !== undefined)
  process.kill(pid, 'SIGKILL')
  assert.ok((await loader.load([file], { secrets: true })).ok)
  assert.notEqual(loader.pid, pid)
})

test(
  'a child that dies each time is an error, and so is one that hangs',
  { timeout: 20_000 },
  async context => {
    const { folder, file } = setUp(context)
    const dies = join(folder, 'dies.mjs')
    writeFileSync(dies, 'process.on("message", () => process.exit(7))')
    const dying = new Loader({ program: dies })
    context.after(() => dying.close())
    const result = await dying.load([file], { secrets: true })
    assert.ok(!result.ok)
    assert.match(result.errors[0]?.message ?? '', /exit code 7/)

    const hangs = join(folder, 'hangs.mjs')
    writeFileSync(hangs, 'process.on("message", () => {})')
    const hanging = new Loader({ program: hangs, patience: 500 })
    context.after(() => hanging.close())
    const silent = await hanging.load([file], { secrets: true })
    assert.ok(!silent.ok)
    assert.match(silent.errors[0]?.message ?? '', /SIGKILL/)
  },
)

test(
  'the child ends after it was idle, and a closed loader answers with an error',
  { timeout: 20_000 },
  async context => {
    const { file, loader } = setUp(context, { idle: 1 })
    assert.ok((await loader.load([file], { secrets: true })).ok)
    while (loader.pid !== undefined) await new Promise(resolve => setImmediate(resolve))
    assert.ok((await loader.load([file], { secrets: true })).ok)
    const waiting = loader.load([file], { secrets: true })
    loader.close()
    assert.ok(!(await waiting).ok)
    assert.ok(!(await loader.load([file], { secrets: true })).ok)
  },
)
