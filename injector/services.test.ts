import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mutate } from './mutate.ts'
import { checkServices } from './services.ts'
import { readSettings } from './settings.ts'

test('as many ports of Services as a namespace may have are looked at in a moment', () => {
  const settings = readSettings({ image: 'outrigger:1', inject: 'enabled' })
  assert.ok(typeof settings !== 'string')
  const ports = Array.from({ length: 200 }, (_, index) => ({
    name: `p${index}`,
    containerPort: 20_000 + index,
  }))
  const { pod, report } = mutate(
    { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', ports }] } },
    settings,
  )
  assert.equal(report.outcome, 'injected')
  const service = {
    kind: 'Service',
    metadata: { name: 'a' },
    spec: {
      selector: { app: 'a' },
      ports: Array.from({ length: 100 }, (_, index) => ({ port: index + 1, targetPort: 'p7' })),
    },
  }
  const place = { name: 'Pod/a', namespace: null, path: [], pod }
  // Whoever may create Services makes them, and one event loop answers for the whole cluster: 4,000 of them took 1.4 s.
  const begun = process.cpuUsage().user
  const found = checkServices(
    Array.from({ length: 300 }, () => service),
    [{ place, pod, report }],
  )
  assert.equal(found.length, 30_000)
  assert.ok(found.every(({ passes }) => passes))
  assert.ok(process.cpuUsage().user - begun < 2_000_000)
})
