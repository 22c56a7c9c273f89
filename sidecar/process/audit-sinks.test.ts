import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { callerFixture, exchangeFixture } from '../exchange/exchange-fixture.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { AuditLog } from '../telemetry/audit-log.ts'
import { BufferedWriter } from '../telemetry/buffered-writer.ts'
import { fileCalls } from '../telemetry/output.ts'
import { AuditSinks } from './audit-sinks.ts'

const CLOCK = { now: () => 0, wall: () => 1_700_000_000_000 }

function decided(decision: 'allow' | 'deny' | 'would_deny'): Exchange {
  const exchange = exchangeFixture()
  exchange.decision = { decision, rule: 'route.a', unmet: decision === 'allow' ? '' : 'groups' }
  exchange.caller = callerFixture({ name: 'eve"\n' })
  return exchange
}

test('a file is added to, only for its owner; one that cannot be opened costs its lines, counted', async t => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-audit-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = path.join(folder, 'audit.log')
  const stream = new BufferedWriter(-1, 0, fileCalls)
  const sinks = new AuditSinks(stream, stream)
  const audit = new AuditLog(
    to => sinks.open(to),
    CLOCK,
    () => 0.5,
  )
  audit.write(decided('deny'), 'h')
  assert.equal(audit.configure({ service: 's', percent: 100, to: file }), null)
  audit.write(decided('deny'), 'hash')
  audit.write(decided('allow'), 'hash')
  assert.match(audit.configure({ service: 's', percent: 100, to: folder })?.message ?? '', /EISDIR/)
  audit.write(decided('deny'), 'hash')
  assert.equal(audit.lost, 1)
  // The same file again, with a share that leaves out what is allowed.
  assert.equal(audit.configure({ service: 's', percent: 10, to: file }), null)
  for (const decision of ['allow', 'would_deny', 'deny'] as const) audit.write(decided(decision), 'hash')
  assert.equal(audit.configure(null), null)
  audit.write(decided('deny'), 'hash')
  await sinks.close()
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const read = lines.map(line => JSON.parse(line) as Record<string, unknown>) // the log writes objects
  assert.deepEqual(
    read.map(line => line['decision']),
    ['deny', 'allow', 'would_deny', 'deny'],
  )
  assert.equal(read[0]?.['consumer'], 'eve"\n')
  assert.equal(sinks.dropped, 0)
  assert.equal(statSync(file).mode & 0o077, 0)
})

test('a file that was moved away gets what waited for it, and what comes then goes to the one of its name', async t => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-audit-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = path.join(folder, 'audit.log')
  const stream = new BufferedWriter(-1, 0, fileCalls)
  const sinks = new AuditSinks(stream, stream)
  const audit = new AuditLog(
    to => sinks.open(to),
    CLOCK,
    () => 0.5,
  )
  assert.equal(audit.reopen(), null)
  audit.configure({ service: 's', percent: 100, to: file })
  audit.write(decided('deny'), 'first')
  renameSync(file, `${file}.1`)
  audit.write(decided('deny'), 'second')
  assert.equal(audit.reopen(), null)
  audit.write(decided('deny'), 'third')
  // It is the same file now.
  assert.equal(audit.reopen(), null)
  audit.write(decided('deny'), 'fourth')
  await sinks.close()
  const configs = (name: string): string[] =>
    [...readFileSync(name, 'utf8').matchAll(/"config":"(\w+)"/g)].map(found => found[1] ?? '')
  assert.deepEqual(configs(file), ['third', 'fourth'])
  assert.deepEqual(configs(`${file}.1`), ['first', 'second'])
  rmSync(folder, { recursive: true })
  assert.match(audit.reopen()?.message ?? '', /ENOENT/)
  audit.write(decided('deny'), 'h')
  assert.equal(audit.lost, 1)
})

test('a file that the configuration names no more gets what waited for it and is closed', async t => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-audit-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const stream = new BufferedWriter(-1, 0, fileCalls)
  const sinks = new AuditSinks(stream, stream)
  const audit = new AuditLog(
    to => sinks.open(to),
    CLOCK,
    () => 0.5,
  )
  for (const name of ['a', 'b', 'c', 'stdout', 'd']) {
    const to = name === 'stdout' ? name : path.join(folder, name)
    audit.configure({ service: 's', percent: 100, to })
    if (name !== 'stdout') audit.write(decided('deny'), name)
  }
  await sinks.close()
  for (const name of ['a', 'b', 'c', 'd'])
    assert.match(readFileSync(path.join(folder, name), 'utf8'), new RegExp(`"config":"${name}"`))
  assert.deepEqual(openIn(folder), ['d'])
})

/** The names of the files of a folder that this process has open. */
function openIn(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const file = readlinkSync(`/proc/self/fd/${fd}`)
      return path.dirname(file) === folder ? [path.basename(file)] : []
    } catch {
      return [] // that of the listing itself
    }
  })
}
