import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { InProcess } from '../harness/in-process.ts'
import { SlowService, SteadyLoad } from './steady-load.ts'

function yaml(ports: readonly number[], more = ''): string {
  const endpoints = ports.map(port => `"127.0.0.1:${port}"`).join(', ')
  return `version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", upstream: app, retry: off }
upstreams:
  app: { endpoints: [${endpoints}]${more} }
`
}

test('an upstream that moves from place to place under load loses no request, and keeps nothing of where it was', async () => {
  const services = await Promise.all([1, 2, 3].map(() => SlowService.listen(() => 1 + Math.random() * 60)))
  const ports = services.map(service => service.port)
  const proxy = await InProcess.start(yaml(ports.slice(0, 1)))
  const load = new SteadyLoad(proxy.port(), 400)
  try {
    for (let i = 1; i <= 30; i++) {
      await pause(80)
      const where = i % 4 === 3 ? ports : [ports[i % 3] ?? 0]
      await proxy.apply(yaml(where, i % 2 === 0 ? ', loadBalance: round-robin' : ''))
    }
    const outcome = await load.stop()
    assert.deepEqual(outcome.failed, {}, JSON.stringify(outcome))
    assert.ok(outcome.ok > 700, JSON.stringify(outcome))
    for (const service of services) assert.ok(service.answered > 50)
    // One generation is left, with one resolver, balancer, load, and its endpoints.
    await proxy.until(
      'the old generations to end',
      () => proxy.service.registry.keys().length <= 3 + 2 * ports.length,
    )
  } finally {
    await load.stop()
    await proxy.stop()
    for (const service of services) await service.close()
  }
})
