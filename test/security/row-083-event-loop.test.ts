import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { askOnce, RawClient } from '../harness/raw-client.ts'

// Row 83: nothing that a client can send stops the event loop for long. Measured by the process itself.

/** Beyond this the process sheds load, since others have to wait. */
const MOST_SECONDS = 0.1

let upstream: HttpUpstream
let outrigger: Outrigger | null = null
before(async () => {
  upstream = await HttpUpstream.listen()
  const routes = Array.from(
    { length: 50 },
    (_, i) =>
      `      - { name: r${i}, match: { path: { regex: "/(a|b)*/x${i}/(?<id>[a-z]+)/.*" }, priority: ${i} }, upstream: app }\n`,
  )
  outrigger = await Outrigger.start(`version: 1
service: test
admin: { address: "127.0.0.1:0" }
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    routes:
${routes.join('')}      - { name: rest, upstream: app }
upstreams:
  app: { endpoints: "127.0.0.1:${upstream.port}" }
`)
  // The monitor comes after `ready`.
  while ((await lag()) === null) await new Promise(resolve => setTimeout(resolve, 20))
})
after(async () => {
  await outrigger?.stop('SIGKILL')
  await upstream.close()
})

function running(): Outrigger {
  assert.ok(outrigger !== null)
  return outrigger
}

async function scrape(): Promise<string> {
  const { body } = await askOnce(running().adminPort, 'GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n')
  return body.toString()
}

/** The 99th percentile since the last scrape, in seconds; null where nothing was measured since. */
async function lag(): Promise<number | null> {
  const found = /^outrigger_event_loop_lag_seconds\{stat="p99"\} (\S+)$/m.exec(await scrape())
  return found?.[1] === undefined ? null : Number(found[1])
}

/** Works on so many connections at once, each so many times. */
async function storm(
  connections: number,
  times: number,
  one: (client: RawClient) => Promise<void>,
): Promise<void> {
  const work = async (): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const client = await RawClient.connect(running().port('in'))
      await one(client)
      client.destroy()
    }
  }
  await Promise.all(Array.from({ length: connections }, work))
}

const LONG_HEAD = `GET /x HTTP/1.1\r\nhost: a\r\n${'x-y: '.padEnd(1000, 'z')}\r\n`.padEnd(16_000, 'x: y\r\n')

for (const [what, connections, times, one] of [
  [
    'heads of 16 KiB in pieces of few bytes',
    20,
    2,
    async (client: RawClient) => {
      for (let at = 0; at < LONG_HEAD.length && !client.isClosed; at += 8) {
        client.send(LONG_HEAD.slice(at, at + 8))
        if (at % 256 === 0) await new Promise(resolve => setImmediate(resolve))
      }
    },
  ],
  [
    'heads of 100 fields',
    20,
    20,
    async (client: RawClient) => {
      const fields = Array.from({ length: 98 }, (_, i) => `x-field-${i}: ${'v'.repeat(100)}\r\n`).join('')
      await client.ask(`GET /x HTTP/1.1\r\nhost: a\r\n${fields}\r\n`)
    },
  ],
  [
    'URLs of 8 KiB against 50 expressions',
    20,
    10,
    async (client: RawClient) => {
      await client.ask(`GET /${'ab'.repeat(4000)}/y HTTP/1.1\r\nhost: a\r\n\r\n`)
    },
  ],
  [
    'bodies of 10 MiB',
    8,
    2,
    async (client: RawClient) => {
      client.send(`POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10485760\r\n\r\n`)
      client.send(Buffer.alloc(10_485_760, 'x'))
      await client.readResponse({ timeout: 15_000 })
    },
  ],
] as const)
  test(`row 83: ${what}: the event loop is late by less than 100 ms in 99 of 100 turns`, async () => {
    await scrape()
    await storm(connections, times, one)
    const p99 = await lag()
    assert.ok(p99 !== null && p99 < MOST_SECONDS, `p99 ${p99} s`)
    assert.equal((await askOnce(running().port('in'), 'GET /x HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
  })
