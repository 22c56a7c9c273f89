import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { programEntry } from '../harness/entry.ts'

const MAIN = programEntry()

/** Runs the command line to its end. */
async function outrigger(args: string[], cwd: string): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr }
}

async function inFolder(call: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-start-'))
  try {
    await call(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function configuration(port: number, admin: number): string {
  return `version: 1
service: orders
admin: { address: "127.0.0.1:${admin}" }
listeners:
  - { name: inbound, role: inbound, address: "127.0.0.1:${port}", respond: { status: 204 } }
`
}

/** A port that somebody else has. */
async function taken(call: (port: number) => Promise<void>): Promise<void> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  try {
    await call(address.port)
  } finally {
    server.close()
  }
}

test('without a configuration: one line, exit code 1', () =>
  inFolder(async folder => {
    const { code, stderr } = await outrigger(['run'], folder)
    assert.equal(code, 1)
    assert.match(stderr, /outrigger\.yaml: cannot be read: there is no such file/)
  }))

test('a wrong configuration: the place, exit code 1, and nothing that looks like serving', () =>
  inFolder(async folder => {
    writeFileSync(path.join(folder, 'outrigger.yaml'), configuration(0, 0).replace('respond', 'repsond'))
    const { code, stderr } = await outrigger(['run'], folder)
    assert.equal(code, 1)
    assert.match(stderr, /outrigger\.yaml:5:\d+: unknown key `repsond`[^]*did you mean `respond`/)
    assert.doesNotMatch(stderr, /draining|ready/)
  }))

test('a taken port of a listener, and of admin: named, exit code 3', () =>
  inFolder(folder =>
    taken(async port => {
      writeFileSync(path.join(folder, 'outrigger.yaml'), configuration(port, 0))
      const listener = await outrigger(['run'], folder)
      assert.equal(listener.code, 3)
      assert.match(listener.stderr, new RegExp(`cannot listen on 127.0.0.1:${port}: the address is taken`))
      writeFileSync(path.join(folder, 'outrigger.yaml'), configuration(0, port))
      const admin = await outrigger(['run'], folder)
      assert.equal(admin.code, 3)
      assert.match(admin.stderr, /admin\.address/)
    }),
  ))

test('unknown commands and options: usage, exit code 2', () =>
  inFolder(async folder => {
    for (const args of [['frob'], ['run', '--frob'], ['run', '--log-level', 'loud']]) {
      const { code, stderr } = await outrigger(args, folder)
      assert.equal(code, 2, args.join(' '))
      assert.match(stderr, /^outrigger/)
    }
  }))
