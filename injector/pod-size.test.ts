import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mutate } from './mutate.ts'
import { readSettings } from './settings.ts'

const settings = readSettings({ image: 'outrigger:1', inject: 'enabled' })
assert.ok(typeof settings !== 'string')

const portsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `p${index}`, containerPort: 20_000 + index }))

test('as many containers and ports as a pod may have, and one more', () => {
  for (const [count, outcome] of [
    [511, 'injected'],
    [512, 'skipped'],
  ] as const) {
    const { report } = mutate({ spec: { containers: [{ name: 'a', ports: portsOf(count) }] } }, settings)
    assert.equal(report.outcome, outcome, `${count}: ${report.detail}`)
  }
  const containers = Array.from({ length: 100_000 }, (_, index) => ({ name: `c${index}` }))
  const pod = { spec: { containers: [{ name: 'a', ports: portsOf(1) }], initContainers: containers } }
  assert.equal(mutate(pod, settings).report.reason, 'too_large')
})

test('annotations that Kubernetes would take without the sidecar, and not with it', () => {
  const pod = (bytes: number) => ({
    metadata: { annotations: { a: 'é'.repeat(bytes / 2) } },
    spec: { containers: [{ name: 'a', ports: portsOf(1) }] },
  })
  assert.equal(mutate(pod(200_000), settings).report.outcome, 'injected')
  const { report, pod: same } = mutate(pod(262_000), settings)
  assert.equal(report.reason, 'too_large')
  assert.deepEqual(same, pod(262_000))
})
