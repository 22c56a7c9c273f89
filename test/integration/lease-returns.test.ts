// What a process took ahead of a limit and did not use goes back into Redis, and frees what was counted with it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { InProcess } from '../harness/in-process.ts'
import {
  type Client,
  configuration,
  Fleet,
  QUOTA,
  redis,
  START,
  started,
  statuses,
  warm,
} from '../harness/leased.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'

test(
  'a process that stops puts back what it did not use: exactly the limit passes',
  needs('redis-server'),
  async t => {
    const { client, port } = await redis(t)
    const limits =
      '[{ requests: 200, per: day, by: all, lease: 40 }, { requests: 300, per: hour, by: all, lease: 50, burst: 250 }, { requests: 400, per: hour, by: address, lease: 60 }]'
    let passed = 0
    for (const asked of [1, 45, 7]) {
      const proxy = await InProcess.start(configuration(port, limits))
      await warm(proxy)
      passed += (await statuses(proxy, asked)).filter(status => status === 200).length
      await proxy.stop()
      // What stops does not wait for it here; a process does, see below.
      await settled(client, passed)
    }
    assert.equal(passed, 53)
    const last = await InProcess.start(configuration(port, limits))
    t.after(() => last.stop())
    await warm(last)
    const seen = await statuses(last, 160)
    assert.equal(seen.filter(status => status === 200).length, 200 - passed)
  },
)

test('a limit that a reload takes away puts back what was taken ahead', needs('redis-server'), async t => {
  const { client, port } = await redis(t)
  const proxy = await started(t, configuration(port, '{ requests: 200, per: day, by: all, lease: 40 }'))
  await statuses(proxy, 3)
  assert.equal(await used(client), 40)
  await proxy.apply(configuration(port, '{ requests: 5, per: minute, by: address, store: memory }'))
  await settled(client, 3)
})

test(
  'what is put back frees what was counted with it, and nothing that came later',
  needs('redis-server'),
  async t => {
    const { client } = await redis(t)
    const fleet = new Fleet(client, { kind: 'sliding', window: 10_000 }, 'order')
    const passes = async (process: number, times: number): Promise<number> => {
      let passed = 0
      for (let i = 0; i < times; i++) if (await fleet.ask(process)) passed++
      return passed
    }
    await fleet.at(START)
    assert.equal(await passes(0, 1), 1, 'and four are taken ahead')
    await fleet.at(START + 8_000)
    assert.equal(await passes(1, 6), 6, 'three and three, of what was left')
    await fleet.replace(0)
    // All is free again but what the other one passed two seconds ago.
    await fleet.at(START + 10_100)
    assert.equal(await passes(2, 2 * QUOTA), QUOTA - 6)
  },
)

test(
  'a process that is told to stop puts back what it took ahead before it ends',
  needs('redis-server'),
  async t => {
    const { client, port } = await redis(t)
    const own = configuration(port, '{ requests: 200, per: day, by: all, lease: 40 }')
    const first = await Outrigger.start(`${own}admin: { address: 127.0.0.1:0 }\ndrain: { timeout: 1s }\n`)
    t.after(() => first.stop())
    const raw = await RawClient.connect(first.port('in'))
    for (let i = 0; (await raw.ask('GET /warm HTTP/1.1\r\nhost: a\r\n\r\n')).status !== 200; i++) {
      assert.ok(i < 300, 'the store does not come')
      await pause(20)
    }
    for (let i = 0; i < 2; i++)
      assert.equal((await raw.ask('GET /limited HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
    raw.destroy()
    assert.equal(await used(client), 40)
    assert.equal((await first.stop()).code, 0)
    assert.equal(await used(client), 2, 'before the process ended')
  },
)

/** What is counted of the day. */
async function used(client: Client): Promise<number> {
  const [key = ''] = await client.keys('*all-day*')
  return Number((await client.get(key))?.split(':')[2])
}

async function settled(client: Client, count: number): Promise<void> {
  for (let i = 0; i < 100 && (await used(client)) !== count; i++) await pause(20)
  assert.equal(await used(client), count)
}
