import assert from 'node:assert/strict'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, RawH2, TYPE } from '../harness/raw-h2.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

/** Row 38: so many sessions that only stand there are told and closed when their time is over, and hold nothing. */
export async function idleSessions(many: number): Promise<void> {
  const proxy = await InProcess.start(routeTo(1), { clock: new SteppedClock() })
  const clients: RawH2[] = []
  for (let i = 0; i < many; i++) clients.push(await RawH2.connect(proxy.port()))
  await Promise.all(clients.map(client => client.roundTrip(20_000)))
  assert.equal(proxy.connections, many)
  // PINGs are no sign of life: only requests are.
  for (let second = 0; second < 80; second += 20) {
    await proxy.step(20_000, 1000)
    const open = clients.filter(client => client.goaway === null)
    for (const client of open.slice(0, 10)) client.frame(TYPE.ping, 0, 0, Buffer.alloc(8))
  }
  await proxy.step(5000, 1000)
  await Promise.all(clients.map(client => client.end(20_000)))
  assert.ok(clients.every(client => client.goaway?.code === CODE.none))
  await proxy.until('no connection', () => proxy.connections === 0)
  await proxy.stop()
}
