import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InProcess } from '../../test/harness/in-process.ts'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'

const HOUR_MS = 3_600_000
const START = Date.parse('2026-03-01T00:00:00Z')

function digest(index: number): string {
  return index.toString(16).padStart(64, 'f')
}

function config(consumers: string): string {
  return `version: 1
service: test
listeners:
  - { name: in, role: edge, address: "127.0.0.1:0", authenticate: { apiKey: clients }, respond: { body: here } }
authentication: { apiKey: { clients: { header: x-api-key } } }
consumers:
${consumers}`
}

const ONE = /outrigger_api_key_expiry_timestamp_seconds\{consumer="([^"]*)"\} (\S+)/g

async function shown(proxy: InProcess): Promise<Record<string, string>> {
  const found = [...(await proxy.metrics()).matchAll(ONE)]
  return Object.fromEntries(
    found.map(([, name = '', at = '']) => [name, new Date(Number(at) * 1000).toISOString().slice(0, 10)]),
  )
}

test('a key is spoken of once before it ends and once when it has; metrics show the next end', async () => {
  const clock = new SteppedClock(0, START)
  const proxy = await InProcess.start(
    config(`  - { name: old, apiKeys: { sha256: ${digest(1)}, expires: 2026-02-01 } }
  - { name: rotated, apiKeys: [{ sha256: ${digest(2)}, expires: 2026-03-10 }, { sha256: ${digest(3)}, expires: 2026-06-01 }] }
  - { name: forever, apiKeys: { sha256: ${digest(4)} } }
`),
    { clock },
  )
  try {
    assert.deepEqual(await shown(proxy), { rotated: '2026-03-10', old: '2026-02-01' })
    proxy.service.keys.start()
    const said = (): string[] =>
      proxy.errors.map(({ msg, consumers }) => `${String(msg)}: ${String(consumers)}`)
    const days = (count: number): void => {
      for (let hour = 0; hour < count * 24; hour++) clock.jump(HOUR_MS)
    }
    days(1.5)
    assert.deepEqual(said(), [], 'what had ended before is the loader’s to say')
    days(1)
    assert.deepEqual(said(), ['API keys end within seven days: rotated'])
    days(4)
    assert.equal(said().length, 1)
    days(4)
    assert.deepEqual(said().slice(1), ['API keys have ended: they let nobody in any more: rotated'])
    assert.deepEqual(await shown(proxy), { rotated: '2026-06-01', old: '2026-02-01' })
    proxy.service.keys.stop()
  } finally {
    await proxy.stop()
  }
})

test('the labels and the names of a line are bounded, and who can still renew goes first', async () => {
  const clock = new SteppedClock(0, START)
  const ended = Array.from(
    { length: 150 },
    (_, i) => `  - { name: e${i}, apiKeys: { sha256: ${digest(i + 1)}, expires: 2026-02-01 } }\n`,
  )
  const soon = Array.from(
    { length: 60 },
    (_, i) =>
      `  - { name: s${i}, apiKeys: { sha256: ${digest(i + 1000)}, expires: 2026-03-01T06:00:00Z } }\n`,
  )
  const proxy = await InProcess.start(config([...ended, ...soon].join('')), { clock })
  try {
    const names = Object.keys(await shown(proxy))
    assert.equal(names.length, 100)
    assert.equal(names.filter(name => name.startsWith('s')).length, 60)
    proxy.service.keys.start()
    for (let hour = 0; hour < 8; hour++) clock.jump(HOUR_MS)
    proxy.service.keys.stop()
    const line = proxy.errors.find(({ msg }) => String(msg).startsWith('API keys have ended'))
    assert.equal(line?.['count'], 60)
    assert.equal(String(line?.['consumers']).split(', ').length, 10)
    assert.equal(proxy.errors.length, 1)
  } finally {
    await proxy.stop()
  }
})
