// A real process whose audit file is moved away by another program, as `logrotate` does.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'

/** The paths that a file has lines of, once there are so many. */
async function paths(file: string, count: number): Promise<string[]> {
  for (let i = 0; ; i++) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const found = [...text.matchAll(/"path":"([^"]+)"/g)].map(one => one[1] ?? '')
    if (found.length >= count || i > 200) return found
    await pause(20)
  }
}

test('SIGHUP opens the audit file anew where it was moved', async context => {
  const folder = mkdtempSync(path.join(tmpdir(), 'outrigger-audit-'))
  const file = path.join(folder, 'audit.log')
  const outrigger = await Outrigger.start(`version: 1
service: audited
admin: { address: "127.0.0.1:0" }
authorization: { audit: { to: ${file} } }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", authorize: { groups: staff }, respond: { body: x } }
`)
  context.after(async () => {
    await outrigger.stop('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  const ask = async (target: string): Promise<void> => {
    const client = await RawClient.connect(outrigger.port('in'))
    assert.equal((await client.ask(`GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`)).status, 403)
    client.destroy()
  }
  await ask('/first')
  assert.deepEqual(await paths(file, 1), ['/first'])
  renameSync(file, `${file}.1`)
  await ask('/second')
  assert.deepEqual(await paths(`${file}.1`, 2), ['/first', '/second'])
  outrigger.signal('SIGHUP')
  for (let i = 0; i < 200 && !existsSync(file); i++) await pause(20)
  await ask('/third')
  assert.deepEqual(await paths(file, 1), ['/third'])
  assert.deepEqual(await paths(`${file}.1`, 2), ['/first', '/second'])
})

test('a disk that is full costs lines of the audit, and the process log says so', async context => {
  if (!existsSync('/dev/full')) return context.skip('there is no /dev/full')
  const outrigger = await Outrigger.start(`version: 1
service: audited
admin: { address: "127.0.0.1:0" }
authorization: { audit: { to: /dev/full } }
listeners:
  - { name: in, role: outbound, address: "127.0.0.1:0", authorize: { groups: staff }, respond: { body: x } }
`)
  context.after(() => outrigger.stop('SIGKILL'))
  const client = await RawClient.connect(outrigger.port('in'))
  assert.equal((await client.ask('GET / HTTP/1.1\r\nhost: a\r\n\r\n')).status, 403)
  client.destroy()
  // Lines gather for a moment before they are written.
  await pause(200)
  assert.equal((await outrigger.stop('SIGINT')).code, 0)
  const told = outrigger.log().find(line => line.msg === 'lines of a log are dropped')
  assert.deepEqual(
    [told?.['level'], told?.['log'], told?.['lines'], told?.['cause']],
    ['warn', 'audit', 1, 'ENOSPC'],
  )
})
