import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { injectManifest, uninjectManifest } from '../../injector/manifest.ts'
import { readSettings } from '../../injector/settings.ts'
import { podsOf } from '../../injector/workloads.ts'
import { assertKept } from '../harness/kept-fields.ts'
import { manifestsOf, schemaErrors, type Manifest } from '../harness/kubernetes.ts'

const CORPUS = path.resolve(import.meta.dirname, '..', 'vectors', 'istio-inject', 'inject')
const FILES = readdirSync(CORPUS).toSorted()

/** OpenShift's kind is none that the injector knows, and a Service has no pod. */
const WITHOUT_POD = [
  'deploymentconfig-multi.yaml',
  'deploymentconfig-with-canonical-service-label.yaml',
  'deploymentconfig.yaml',
  'hello-service.yaml',
]

/** A version of Kubernetes, upstreams, and how many of the corpus's 98 pods are injected or skipped, by reason. */
export type IstioRun = readonly [
  version: string,
  upstreams: readonly string[],
  counts: Readonly<Record<string, number>>,
]

/** Those that are skipped in every run. */
const ALWAYS = { other_sidecar: 10, host_network: 2, port_taken: 2, app_port_not_movable: 1 }

/** Pods that others wrote, Istio's inputs, after the injector and back. */
export function testIstioPods(runs: readonly IstioRun[]): void {
  describe('the inputs of Istio', () => {
    for (const [kubernetesVersion, upstreams, counts] of runs) {
      test(`on Kubernetes ${kubernetesVersion}, ${upstreams.length === 0 ? 'without' : 'with'} an upstream: each pod is injected or skipped for a reason, nothing is lost, and the way back leads to it`, async () => {
        const settings = readSettings({
          image: 'outrigger:1',
          inject: 'enabled',
          kubernetesVersion,
          outbound: { upstreams },
        })
        assert.ok(typeof settings !== 'string')
        const seen: Record<string, number> = {}
        for (const file of FILES) {
          const text = readFileSync(path.join(CORPUS, file), 'utf8')
          const changed = injectManifest(text, settings)
          assert.ok(typeof changed !== 'string', JSON.stringify([file, changed]))
          const before = objects(text)
          const given = before.flatMap(object => podsOf(object))
          assert.equal(given.length === 0, WITHOUT_POD.includes(file), file)
          assert.deepEqual(
            changed.findings.map(({ place }) => place.name),
            given.map(({ name }) => name),
            file,
          )
          for (const [index, { report, pod }] of changed.findings.entries()) {
            const outcome = report.reason ?? report.mode ?? ''
            seen[outcome] = (seen[outcome] ?? 0) + 1
            assert.notEqual(report.detail, '', file)
            if (report.outcome === 'skipped') assert.deepEqual(pod, given[index]?.pod, file)
            else assertKept(given[index]?.pod, pod)
          }
          const after = objects(changed.text)
          await assertValid(before, after, file)
          assert.equal(injectText(changed.text, settings), changed.text, `${file} injected again`)
          const back = uninjectManifest(changed.text)
          assert.ok(typeof back !== 'string', JSON.stringify([file, back]))
          assert.deepEqual(objects(back.text), before, file)
        }
        assert.deepEqual(seen, { ...ALWAYS, ...counts })
      })
    }
  })
}

/** What the schema has against the objects after it had before: inputs have faults of their own. */
async function assertValid(
  before: readonly Manifest[],
  after: readonly Manifest[],
  file: string,
): Promise<void> {
  for (const [index, object] of after.entries()) {
    for (const [inner, item] of itemsOf(object).entries()) {
      if (!/^(?:v1|apps\/v1|batch\/v1)$/.test(item.apiVersion)) continue
      const was = itemsOf(before[index] ?? object)[inner] ?? item
      assert.deepEqual(await schemaErrors(item), await schemaErrors(was), file)
    }
  }
}

/** The objects of a List, or the object itself. */
const itemsOf = (object: Manifest): readonly Manifest[] =>
  object.kind === 'List' ? (object['items'] as readonly Manifest[]) : [object]

/** As kubectl reads them. */
const objects = (text: string): Manifest[] => manifestsOf(text)

function injectText(text: string, settings: Parameters<typeof injectManifest>[1]): string {
  const changed = injectManifest(text, settings)
  return typeof changed === 'string' ? changed : changed.text
}
