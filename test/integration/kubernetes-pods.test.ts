// Pods that others wrote: Istio's inputs, and the golden pods, after the injector and back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goldenPods, type GoldenPod } from '../harness/golden-pods.ts'
import { schemaErrors } from '../harness/kubernetes.ts'
import { againstContainer } from '../harness/pod-security.ts'
import { testIstioPods } from './istio-pods.ts'

// The versions and settings between these run in kubernetes-pods.slow.test.ts.
testIstioPods([
  ['1.28', [], { classic: 70, nothing_to_pass: 13 }],
  ['1.32', ['users'], { native: 83 }],
])

test('every golden pod is valid after the injector where it was before, and its sidecar is restricted', async () => {
  let count = 0
  for (const { name, pod, given, outcome } of goldenPods()) {
    if (outcome !== 'injected') continue
    count++
    const wrong = await schemaErrors(asPod(given))
    assert.deepEqual(await schemaErrors(asPod(pod)), wrong, name)
    const { containers, initContainers = [] } = pod['spec'] as Record<string, { name: string }[] | undefined>
    const sidecar = [...(containers ?? []), ...(initContainers ?? [])].find(one => one.name === 'outrigger')
    assert.ok(sidecar, name)
    assert.deepEqual(againstContainer(sidecar), [], name)
  }
  assert.ok(count > 40, `${count} pods`)
})

const asPod = (pod: GoldenPod['pod']): object => ({ apiVersion: 'v1', kind: 'Pod', ...pod })
