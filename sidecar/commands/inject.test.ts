import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Command } from './command.ts'
import { inject } from './inject.ts'
import { uninject } from './uninject.ts'

const folder = mkdtempSync(join(tmpdir(), 'outrigger-inject-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function deployment(name: string, port: string, more = ''): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  template:
    metadata:
      labels: { app: ${name} }${more}
    spec:
      containers:
      - name: ${name}
        ports:
        - ${port}
`
}

const NAMED = deployment('orders', '{ name: http, containerPort: 8080 }')
const UNNAMED = deployment('users', '{ containerPort: 8080 }')

function file(name: string, text: string | Buffer): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

async function run(command: Command, ...args: string[]) {
  let out = ''
  let err = ''
  const io = { stdout: (text: string) => void (out += text), stderr: (text: string) => void (err += text) }
  return { code: await command.run(args, io), out, err }
}

test('YAML to standard output, the report to standard error, and back', async () => {
  const path = file('a.yaml', NAMED)
  const done = await run(inject, path)
  assert.equal(done.code, 0)
  assert.match(
    done.err,
    /^Deployment\/orders: injected \(native\), port 8080 passes the sidecar\n {2}orders 8080 \(http\): the sidecar listens on 15006, the app on 8080\n {2}note: /,
  )
  assert.match(done.out, /^ {6}initContainers:\n {6}- name: outrigger\n {8}image: outrigger:\d/m)
  const back = await run(uninject, file('b.yaml', done.out))
  assert.deepEqual(back, { code: 0, out: NAMED, err: 'Deployment/orders: the sidecar is out\n' })
})

test('--check says why not, and is 1 where something passes by', async () => {
  const bad = await run(inject, '--check', file('u.yaml', UNNAMED))
  assert.equal(bad.code, 1)
  assert.match(bad.out, /^Deployment\/users: skipped, app_port_not_movable: port 8080 of users has no name/)
  assert.equal((await run(inject, '--check', file('n.yaml', NAMED))).code, 0)
  const off = deployment(
    'quiet',
    '{ containerPort: 1 }',
    '\n      annotations: { outrigger.dev/inject: disabled }',
  )
  assert.equal((await run(inject, '--check', file('o.yaml', off))).code, 0)
  const service = `---\napiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { selector: { app: orders }, ports: [{ port: 80, targetPort: 8080 }] }\n`
  const past = await run(inject, '--check', file('s.yaml', NAMED + service))
  assert.equal(past.code, 1)
  assert.match(
    past.out,
    /^Service\/s port 80: does not pass, 8080 reaches Deployment\/orders directly, past the sidecar$/m,
  )
  assert.doesNotMatch(past.out, /apiVersion/)
})

test('folders, their subfolders, several files, each a document', async () => {
  mkdirSync(join(folder, 'dir', 'sub'), { recursive: true })
  file('dir/b.yaml', NAMED)
  file('dir/a.yml', 'kind: First')
  file('dir/sub/c.json', '{"kind":"Third"}')
  file('dir/notes.txt', 'no: [manifest')
  const { code, out } = await run(inject, join(folder, 'dir'))
  assert.equal(code, 0)
  assert.match(out, /^kind: First\n---\napiVersion: apps\/v1\n[\s\S]*\n---\n\{"kind":"Third"\}$/)
})

test('options and settings', async () => {
  const path = file('a.yaml', NAMED)
  const settings = file('settings', 'image: from-file\nlogLevel: debug\nports: { inboundFrom: 20000 }\n')
  const { out } = await run(
    inject,
    '--settings',
    settings,
    '--image',
    'mine:1',
    '--config-map',
    'policies',
    path,
  )
  for (const part of ['image: mine:1', '- debug', 'containerPort: 20000', 'name: policies'])
    assert.ok(out.includes(part), part)
  const classic = await run(inject, '--kubernetes-version', '1.30', path)
  assert.match(classic.err, /injected \(classic\)[\s\S]*Kubernetes 1\.30 does not find a named port \(http\)/)
  const system = await run(inject, '--namespace', 'kube-system', path)
  assert.match(system.err, /skipped, ignored_namespace/)
})

test('wrong usage is 2, what cannot be read is 1 and writes nothing', async () => {
  const path = file('a.yaml', NAMED)
  for (const args of [
    [],
    ['--colour', path],
    ['--kubernetes-version', 'new', path],
    ['--settings', join(folder, 'none'), path],
  ])
    assert.equal((await run(inject, ...args)).code, 2, args.join(' '))
  for (const args of [[], ['--check', path]]) assert.equal((await run(uninject, ...args)).code, 2)
  const broken = file('broken.yaml', 'a: [')
  for (const command of [inject, uninject]) {
    for (const wrong of [[path, broken], [join(folder, 'none')]]) {
      const { code, out, err } = await run(command, ...wrong)
      assert.deepEqual([code, out], [1, ''])
      assert.match(err, /^outrigger (?:un)?inject: .*(?:broken\.yaml: line 1|ENOENT)/)
    }
    // Latin-1: what passes would pass with other letters.
    const { code, out, err } = await run(
      command,
      file('latin.yaml', Buffer.from('# caf\xe9\na: 1\n', 'latin1')),
    )
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, /latin\.yaml: it is no UTF-8/)
  }
})

test('standard input, in a process of its own', () => {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))
  const pipe = (command: string, input: string) =>
    spawnSync(process.execPath, [main, command, '-'], { input, encoding: 'utf8', timeout: 20_000 })
  const injected = pipe('inject', NAMED)
  assert.equal(injected.status, 0, injected.stderr)
  assert.match(injected.stdout, /name: outrigger$/m)
  assert.equal(pipe('uninject', injected.stdout).stdout, NAMED)
})
