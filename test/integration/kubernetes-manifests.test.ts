// injector/manifests without a cluster: each kubectl renders the same, the API's schemas take it, the pods need no right, and the selectors of the
// webhooks are what the injector itself decides.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { Environment } from '@marcbachmann/cel-js'
import { parse } from 'yaml'
import { mutate } from '../../injector/mutate.ts'
import { readSettings } from '../../injector/settings.ts'
import { goldenPods } from '../harness/golden-pods.ts'
import type { Manifest } from '../harness/kubernetes.ts'
import { renderings, schemaErrors } from '../harness/kubernetes.ts'
import { needs } from '../harness/needs.ts'
import { againstRestricted } from '../harness/pod-security.ts'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const MANIFESTS = path.join(ROOT, 'injector', 'manifests')
const PLACES = ['base', 'cert-manager', 'ignore-failures', 'report', 'network-policy'] as const
const NAMESPACE = 'outrigger-system'

interface Expression {
  readonly key: string
  readonly operator: 'In' | 'NotIn'
  readonly values: readonly string[]
}
interface Selector {
  readonly matchExpressions: readonly Expression[]
}
interface Webhook {
  readonly name: string
  readonly clientConfig: {
    readonly service: Readonly<Record<string, string | number>>
    readonly caBundle?: string
  }
  readonly namespaceSelector: Selector
  readonly objectSelector: Selector
  readonly failurePolicy: string
}
interface Workload extends Manifest {
  readonly spec: {
    readonly replicas: number
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly args: readonly string[]
          readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
        }[]
      }
    }
  }
}
interface Rule {
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** As the API server reads a selector: a label that is not there is in no list. */
function selects({ matchExpressions }: Selector, labels: Readonly<Record<string, string>>): boolean {
  return matchExpressions.every(({ key, operator, values }) => {
    const isIn = labels[key] !== undefined && values.includes(labels[key])
    return operator === 'In' ? isIn : !isIn
  })
}

describe('injector/manifests', needs('kubectl-1.20'), () => {
  const rendered = new Map<string, readonly Manifest[]>()
  before(async () => {
    for (const place of PLACES) {
      const found = await renderings(path.join(MANIFESTS, place))
      const [first = []] = found.values()
      for (const [program, manifests] of found)
        assert.deepEqual(sorted(manifests), sorted(first), `${place} by ${program}`)
      rendered.set(place, first)
    }
  })

  const all = (place: string): readonly Manifest[] => rendered.get(place) ?? []
  function one(place: string, kind: string): Manifest {
    const found = all(place).filter(manifest => manifest.kind === kind)
    assert.equal(found.length, 1, `${place} has ${found.length} of kind ${kind}`)
    return found[0] as Manifest // there is one
  }
  const webhooks = (place: string): readonly Webhook[] =>
    one(place, 'MutatingWebhookConfiguration')['webhooks'] as readonly Webhook[]
  const deployment = (place: string): Workload => one(place, 'Deployment') as Workload
  const rules = (place: string): readonly Rule[] =>
    ['ClusterRole', 'Role'].flatMap(kind => one(place, kind)['rules'] as readonly Rule[])

  test('each is valid, cert-manager apart, and its pods need no right', async () => {
    for (const place of PLACES) {
      assert.ok(all(place).length > 0, place)
      for (const manifest of all(place)) {
        if (manifest.apiVersion === 'cert-manager.io/v1') continue
        assert.deepEqual(await schemaErrors(manifest), [], `${place}: ${manifest.kind}`)
        if (manifest.kind === 'Deployment')
          assert.deepEqual(againstRestricted((manifest as Workload).spec.template.spec), [])
      }
    }
    const others = all('cert-manager').filter(({ apiVersion }) => apiVersion === 'cert-manager.io/v1')
    assert.deepEqual(others.map(({ kind }) => kind).toSorted(), ['Certificate', 'Issuer'])
  })

  test('a field that does not exist, and a pod that is root, would be noticed', async () => {
    const broken = structuredClone(deployment('base'))
    Object.assign(broken.spec, { replica: 2 })
    assert.deepEqual(await schemaErrors(broken), ['/spec/replica is no field of Deployment'])
    assert.deepEqual(await schemaErrors({ ...broken, kind: 'Deploiment' }), [
      'there is no Deploiment in apps/v1',
    ])
    const root = structuredClone(deployment('base').spec.template.spec)
    Object.assign(root.containers[0] ?? {}, {
      securityContext: { runAsUser: 0, capabilities: { add: ['NET_ADMIN'] } },
    })
    assert.deepEqual(
      againstRestricted(root).map(text => text.replace(/.*: /, '')),
      ['allowPrivilegeEscalation', 'capabilities.drop', 'capabilities.add', 'runAsUser'],
    )
  })

  test('there are two replicas, and everything that names another object names one that is there', () => {
    const { spec } = deployment('base')
    assert.equal(spec.replicas, 2)
    const service = one('base', 'Service')
    for (const { clientConfig } of webhooks('base')) {
      assert.deepEqual(clientConfig.service, {
        name: service.metadata.name,
        namespace: NAMESPACE,
        path: '/inject',
        port: 443,
      })
      assert.equal(clientConfig.caBundle, undefined) // the injector writes it, and applying again leaves it
    }
    const [container] = spec.template.spec.containers
    const numbers = container?.ports.map(({ containerPort }) => String(containerPort)) ?? []
    const { args = [] } = container ?? {}
    assert.deepEqual(
      ['--port', '--admin-port'].map(flag => args[args.indexOf(flag) + 1]),
      numbers,
    )
    const dns = (one('cert-manager', 'Certificate')['spec'] as { dnsNames: string[] }).dnsNames
    assert.deepEqual(dns, [`${service.metadata.name}.${NAMESPACE}.svc`])
  })

  test('it may do what it does, and nothing else', () => {
    assert.deepEqual(
      rules('base').map(({ resources, resourceNames = [], verbs }) =>
        [resources, resourceNames, verbs].flat().join(' '),
      ),
      [
        'namespaces get',
        'services list',
        'events create',
        'mutatingwebhookconfigurations outrigger-injector get patch',
        'secrets create',
        'secrets outrigger-injector-tls get update',
      ],
    )
    assert.deepEqual(
      rules('cert-manager').map(({ resources }) => resources.join()),
      ['namespaces', 'services', 'events'],
    )
    assert.equal(one('base', 'MutatingWebhookConfiguration').metadata.name, 'outrigger-injector')
  })

  test('without an answer pods are not created; with ignore-failures they are', () => {
    assert.deepEqual(
      webhooks('base').map(({ failurePolicy }) => failurePolicy),
      ['Fail', 'Fail'],
    )
    assert.deepEqual(
      webhooks('cert-manager').map(({ failurePolicy }) => failurePolicy),
      ['Fail', 'Fail'],
    )
    assert.deepEqual(
      webhooks('ignore-failures').map(({ failurePolicy }) => failurePolicy),
      ['Ignore', 'Ignore'],
    )
  })

  test('a pod that is to be injected reaches one webhook, whatever its namespace and its label say', () => {
    const settings = readSettings(parse(readFileSync(path.join(MANIFESTS, 'base', 'settings.yaml'), 'utf8')))
    assert.ok(typeof settings !== 'string', JSON.stringify(settings))
    const says = [undefined, 'enabled', 'true', 'disabled', 'false', 'perhaps']
    const label = (value: string | undefined): Record<string, string> =>
      value === undefined ? {} : { 'outrigger.dev/inject': value }
    let injected = 0
    for (const name of ['shop', 'kube-system', 'kube-public', 'kube-node-lease', NAMESPACE])
      for (const ofNamespace of says)
        for (const ofPod of says) {
          const labels = label(ofNamespace)
          const pod = {
            metadata: { labels: label(ofPod) },
            spec: { containers: [{ name: 'a', ports: [{ name: 'http', containerPort: 8080 }] }] },
          }
          const asked = webhooks('base').filter(
            one =>
              selects(one.namespaceSelector, { ...labels, 'kubernetes.io/metadata.name': name }) &&
              selects(one.objectSelector, label(ofPod)),
          ).length
          const { outcome } = mutate(pod, { ...settings, namespace: { name, labels } }).report
          const place = `${name} ${ofNamespace} ${ofPod}`
          assert.ok(asked <= 1, `${place}: ${asked} webhooks`)
          if (outcome === 'injected') {
            injected++
            assert.equal(asked, 1, place)
          }
          if (name !== 'shop') assert.equal(asked, 0, place)
        }
    assert.ok(injected > 5)
  })

  test('the template of a NetworkPolicy opens what the sidecar of such a pod listens on, and not the app', () => {
    const settings = readSettings({ image: 'outrigger:1', inject: 'enabled' })
    assert.ok(typeof settings !== 'string')
    const app = { name: 'orders', ports: [{ name: 'http', containerPort: 8080 }] }
    const { report } = mutate(
      { metadata: { labels: { app: 'orders' } }, spec: { containers: [app] } },
      settings,
    )
    const { ingress } = one('network-policy', 'NetworkPolicy')['spec'] as {
      ingress: { ports: { port: number }[] }[]
    }
    const open = ingress.flatMap(({ ports }) => ports.map(({ port }) => port))
    const { health, appProbes } = settings.ports
    assert.deepEqual(open, [...report.ports.map(({ sidecar }) => sidecar), health, appProbes])
  })

  test('the policy that reports finds the pods that were skipped, and no other', () => {
    const { matchConditions, variables, validations } = one('report', 'ValidatingAdmissionPolicy')[
      'spec'
    ] as {
      matchConditions: { name: string; expression: string }[]
      variables: { name: string; expression: string }[]
      validations: { expression: string }[]
    }
    const said = (text: string | undefined, object: unknown, known: object = {}): unknown =>
      new Environment()
        .registerVariable('object', 'map')
        .registerVariable('variables', 'map')
        .parse(text ?? 'false')({ object, variables: known })
    let reported = 0
    for (const { name, pod, outcome, reason } of goldenPods()) {
      const metadata = pod['metadata'] ?? {}
      const object = { ...pod, metadata }
      const matches = matchConditions.every(({ expression }) => said(expression, object) === true)
      const known = Object.fromEntries(
        variables.map(({ name: variable, expression }) => [variable, said(expression, object)]),
      )
      const hasIt = said(validations[0]?.expression, object, known)
      if (outcome === 'injected') assert.deepEqual([matches, hasIt], [true, true], name)
      else if (matches && hasIt === false) reported++
      else assert.ok(['disabled', 'host_network', 'already_injected'].includes(reason), `${name}: ${reason}`)
    }
    assert.ok(reported > 5, `${reported} reported`)
    assert.deepEqual(
      (one('report', 'ValidatingAdmissionPolicyBinding')['spec'] as Record<string, unknown>)[
        'validationActions'
      ],
      ['Warn', 'Audit'],
    )
  })
})

const sorted = (manifests: readonly Manifest[]): unknown[] =>
  manifests
    .map(({ metadata, ...rest }) => ({
      ...rest,
      // Some versions of kustomize write `labels: {}`, and each its own hash into the name of a ConfigMap.
      metadata: Object.fromEntries(
        Object.entries(metadata).filter(([, value]) => JSON.stringify(value) !== '{}'),
      ),
    }))
    .map(manifest =>
      JSON.stringify(manifest, sortKeys).replaceAll(
        /(outrigger-injector-settings-)[a-z0-9]{10}(?=")/g,
        '$1HASH',
      ),
    )
    .toSorted()
    .map(text => JSON.parse(text) as unknown)

function sortKeys(_: string, value: unknown): unknown {
  return typeof value !== 'object' || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
