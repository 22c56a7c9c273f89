import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Outrigger } from '../../sidecar/process/outrigger.ts'
import { systemClock } from '../../sidecar/runtime/clock.ts'
import { systemRandom } from '../../sidecar/runtime/random.ts'
import { AccessLog } from '../../sidecar/telemetry/access-log.ts'
import { AuditLog } from '../../sidecar/telemetry/audit-log.ts'
import { BufferedWriter } from '../../sidecar/telemetry/buffered-writer.ts'
import { Metrics } from '../../sidecar/telemetry/metrics.ts'
import { ProcessLog } from '../../sidecar/telemetry/process-log.ts'
import type { RouteMetrics } from '../../sidecar/telemetry/route-metrics.ts'
import { freePort } from '../harness/free-port.ts'
import { RawClient } from '../harness/raw-client.ts'

/** Tells when a route is compiled. */
class Compiling extends Metrics {
  readonly #told: (route: string) => void
  constructor(told: (route: string) => void) {
    super(systemClock, { version: '0', node: '0' })
    this.#told = told
  }
  override route(name: string): RouteMetrics {
    this.#told(name)
    return super.route(name)
  }
}

test('a drain that begins while a reload compiles has all listeners: what that would open is not opened', async t => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-reload-drain-'))
  const lines: string[] = []
  const writer = new BufferedWriter(-1, 0, {
    write: (_fd, bytes, offset, length, done) => {
      lines.push(bytes.toString('utf8', offset, offset + length))
      done(null, length)
    },
    writeSync: (_fd, _bytes, _offset, length) => length,
  })
  const drains: Promise<number>[] = []
  const metrics = new Compiling(name => {
    if (name === 'new') drains.push(outrigger.drain(true))
  })
  const settings = { service: '', format: 'json', percent: 100 } as const
  const outrigger = new Outrigger({
    sources: [folder],
    env: undefined,
    log: new ProcessLog(writer, 'json', 'info', systemClock),
    accessLog: new AccessLog(writer, settings, systemClock, systemRandom),
    audit: new AuditLog(() => writer, systemClock, systemRandom),
    metrics,
    droppedLines: () => ({ access: 0, process: 0, audit: 0 }),
    quit: () => {},
  })
  t.after(async () => {
    await outrigger.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const listener = (name: string, port: number): string =>
    `  - { name: ${name}, role: inbound, address: "127.0.0.1:${port}", respond: { body: ${name} } }\n`
  const head = 'version: 1\nservice: x\nadmin: { address: "127.0.0.1:0" }\nwatch: { poll: 1h }\nlisteners:\n'
  const [before, added] = [await freePort(), await freePort()]
  const file = path.join(folder, 'sidecar.yaml')
  writeFileSync(file, head + listener('old', before))
  assert.equal(await outrigger.start(), null)
  writeFileSync(file, head + listener('old', before) + listener('new', added))
  await outrigger.reload()
  assert.ok(drains.length > 0, 'the drain began while the reload compiled')
  assert.equal(await drains[0], 0)
  for (const port of [before, added])
    await assert.rejects(RawClient.connect(port), { code: 'ECONNREFUSED' }, String(port))
  assert.ok(!lines.some(line => line.includes('"changed":true')))
})
