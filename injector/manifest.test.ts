import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { injectManifest, uninjectManifest } from './manifest.ts'
import type { ChangedManifest } from './manifest.ts'
import { checkServices } from './services.ts'
import { readSettings } from './settings.ts'

function settingsWith(rest: object = {}) {
  const settings = readSettings({ image: 'outrigger:1', inject: 'enabled', ...rest })
  assert.ok(typeof settings !== 'string')
  return settings
}

const settings = settingsWith()

/** What is wrong, or nothing. */
const problemOf = (result: unknown): string => (typeof result === 'string' ? result : '')

function changed(result: ChangedManifest | string): ChangedManifest {
  assert.ok(typeof result !== 'string', JSON.stringify(result))
  return result
}

/** The text after `inject`, of which `uninject` has to give back the first. */
function roundTrip(text: string): ChangedManifest {
  const injected = changed(injectManifest(text, settings))
  assert.equal(changed(injectManifest(injected.text, settings)).text, injected.text, 'injected again')
  const back = changed(uninjectManifest(injected.text))
  const plain = (source: string) => parseAllDocuments(source).map(one => one.toJS() as unknown)
  assert.deepEqual(plain(back.text), plain(text))
  return injected
}

const SPEC = `containers: [{ name: a, image: "a:1", ports: [{ name: http, containerPort: 8080 }] }]`
const TEMPLATE = `spec: { template: { metadata: { labels: { app: a } }, spec: { ${SPEC} } } }`

describe('every kind of workload', () => {
  for (const [kind, apiVersion, rest] of [
    ['Pod', 'v1', `spec: { ${SPEC} }`],
    ['PodTemplate', 'v1', `template: { spec: { ${SPEC} } }`],
    ['ReplicationController', 'v1', TEMPLATE],
    ['ReplicaSet', 'apps/v1', TEMPLATE],
    ['Deployment', 'apps/v1', TEMPLATE],
    ['StatefulSet', 'apps/v1', TEMPLATE],
    ['DaemonSet', 'apps/v1', TEMPLATE],
    ['Job', 'batch/v1', TEMPLATE],
    ['CronJob', 'batch/v1', `spec: { jobTemplate: { ${TEMPLATE} } }`],
  ] as const) {
    test(kind, () => {
      const { findings, text } = roundTrip(
        `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: a }\n${rest}\n`,
      )
      assert.equal(findings.length, 1)
      assert.equal(findings[0]?.place.name, `${kind}/a`)
      assert.equal(findings[0]?.report.outcome, 'injected')
      assert.match(text, /name: outrigger$/m)
    })
  }

  test('List, and what is in it', () => {
    const item = `{ apiVersion: apps/v1, kind: Deployment, metadata: { name: a }, ${TEMPLATE} }`
    const other = `{ apiVersion: v1, kind: Secret, metadata: { name: s } }`
    const { findings } = roundTrip(`apiVersion: v1\nkind: List\nitems:\n- ${item}\n- ${other}\n- ${item}\n`)
    assert.deepEqual(
      findings.map(({ place }) => place.path),
      [
        ['items', 0, 'spec', 'template'],
        ['items', 2, 'spec', 'template'],
      ],
    )
  })
})

test('what is no workload passes to the byte', () => {
  for (const text of [
    '',
    '# only a comment\n',
    'kind:   Strange\nspec: {a:   [1,2]}\n',
    `apiVersion: serving.example/v1\nkind: Deployment\n${TEMPLATE}\n`,
    '--- # first\na: |\n  ----\n---\n\n...\n---\nb: yes\r\n',
    'apiVersion: v1\nkind: Pod\n',
    `apiVersion: v1\nkind: Pod\nspec: { hostNetwork: true, ${SPEC} }\n`,
  ]) {
    assert.equal(changed(injectManifest(text, settings)).text, text)
    assert.equal(changed(uninjectManifest(text)).text, text)
  }
})

const COMMENTED = `# The shop.
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}   # of orders
spec:
  replicas: 3   # three
  template:
    metadata:
      labels: {app: orders}
    spec:
      # the app
      containers:
      - name: orders
        image: "orders:1"   # pinned
        args: ['--a',   "b"]
        ports:
        - containerPort: 8080
          name: http
      volumes:
      - name: x
        configMap: {name: x, defaultMode: 0644}
---
kind: Other   # untouched
`

test('comments, quotes, spaces and order stay on lines that do not change', () => {
  const { text } = roundTrip(COMMENTED)
  const lines = new Set(text.split('\n'))
  for (const line of COMMENTED.split('\n')) {
    if (/containerPort|name: http/.test(line)) continue
    assert.ok(lines.has(line), line)
  }
  // Only what was touched is written in the writer's way.
  const back = changed(uninjectManifest(text)).text.split('\n')
  assert.deepEqual(
    back.filter(line => !COMMENTED.includes(line.trim())),
    [],
  )
})

const STYLED = `apiVersion: v1
kind: Pod
metadata:
  labels: {app:   orders}   # flow

spec:
  containers:
    # the app
    - name: 'orders'
      command: ["sh", "-c",   "a && b"]

      ports:
        - containerPort: 8080
          name: http
      args:
        - >-
          long
          folded text
        - |
          literal
  volumes:
    - name: a
      emptyDir: {}
# the end
`

test('what only the writer would write in another way comes back to the byte', () => {
  const { text } = roundTrip(STYLED)
  for (const part of [
    'labels: {app:   orders}   # flow\n',
    '"-c",   "a && b"]\n',
    'long\n          folded text\n',
    '# the end\n',
  ])
    assert.ok(text.includes(part), part)
  assert.equal(changed(uninjectManifest(text)).text, STYLED)
})

test('YAML as kubectl reads it: octal numbers, words that are booleans', () => {
  const pod = `apiVersion: v1\nkind: Pod\nmetadata: { labels: { a: "yes", b: "0644" } }\nspec:\n  x: 0644\n  y: yes\n  ${SPEC}\n`
  const { text } = roundTrip(pod)
  assert.match(text, /a: "yes", b: "0644"/)
  assert.match(text, /^ {2}x: 0644\n {2}y: yes$/m)
})

test('aliases: what is to be changed in one place is not changed in the other', () => {
  const text = `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: { name: a, labels: &l { app: a } }
  spec: &spec { ${SPEC} }
- apiVersion: v1
  kind: Pod
  metadata: { name: b, labels: { outrigger.dev/inject: disabled } }
  spec: *spec
`
  const { text: injected } = roundTrip(text)
  const [list] = parseAllDocuments(injected).map(one => one.toJS() as { items: { spec: object }[] })
  assert.ok('initContainers' in (list?.items[0]?.spec ?? {}))
  assert.ok(!('initContainers' in (list?.items[1]?.spec ?? {})))
})

test('JSON stays JSON', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    spec: { containers: [{ name: 'a', ports: [{ name: 'http', containerPort: 80 }] }] },
  }
  for (const indent of [undefined, 2, 4]) {
    const { text } = roundTrip(`${JSON.stringify(pod, null, indent)}\n`)
    assert.equal(text, `${JSON.stringify(JSON.parse(text), null, indent)}\n`)
  }
})

test('what cannot be read is said with its line', () => {
  assert.match(problemOf(injectManifest('a: 1\n---\nb: [\n', settings)), /^line [34]: /)
  assert.match(problemOf(injectManifest('a: 1\nb:\n\tc: 1\n', settings)), /^line 3: /)
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
    .split('')
    .map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i] ?? ''},`.repeat(9)}]\n`)
    .join('')}`
  assert.match(problemOf(injectManifest(bomb, settings)), /^line \d+: .*alias/i)
})

test('a damaged annotation is no way back, and says so', () => {
  for (const damage of ['nothing', '{}', '{"version":2}', '[]', 'null']) {
    const pod = `apiVersion: v1\nkind: Pod\nmetadata: { annotations: { outrigger.dev/injected: '${damage}' } }\nspec: { ${SPEC} }\n`
    const { text, findings } = changed(uninjectManifest(pod))
    assert.equal(text, pod)
    assert.match(findings[0]?.report.detail ?? '', /not what the injector wrote/)
  }
})

test('Services: who passes the sidecar', () => {
  const service = (name: string, ports: string, selector = '{ app: a }') =>
    `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: ${selector}, ports: [${ports}] }\n`
  const text = `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\n${TEMPLATE}\n${service('named', '{ port: 80, targetPort: http }')}${service('number', '{ port: 80, targetPort: 8080 }')}${service('none', '{ port: 80 }', '{ app: b }')}${service('unknown', '{ port: 80, targetPort: grpc }')}${service('udp', '{ port: 53, targetPort: http, protocol: UDP }')}`
  const verdicts = (result: ChangedManifest) =>
    checkServices(result.objects, result.findings).map(
      ({ name, passes, detail }) => `${name} ${passes} ${detail}`,
    )
  const expected = [
    'Service/named port 80 true http is the sidecar of Deployment/a',
    'Service/number port 80 false 8080 reaches Deployment/a directly, past the sidecar',
    'Service/none port 80 false it chooses no pod that is here',
    'Service/unknown port 80 false no port of Deployment/a is called grpc',
    'Service/udp port 53 false UDP reaches Deployment/a directly',
  ]
  const first = changed(injectManifest(text, settings))
  assert.deepEqual(verdicts(first), expected)
  assert.deepEqual(verdicts(changed(injectManifest(first.text, settings))), expected)
})

test('with capture a Service passes the sidecar by name and by number, and the manifest comes back', () => {
  const text = `apiVersion: apps/v1
kind: Deployment
metadata: { name: a }
spec:
  template:
    metadata: { labels: { app: a }, annotations: { outrigger.dev/capture: inbound } }
    spec:
      initContainers: [{ name: migrate, image: "a:1" }]   # first
      ${SPEC}
---
apiVersion: v1
kind: Service
metadata: { name: a }
spec: { selector: { app: a }, ports: [{ port: 80, targetPort: http }, { port: 81, targetPort: 8080 }, { port: 82, targetPort: 9090 }] }
`
  const capturing = settingsWith({ captureImage: 'iptables:1' })
  const first = changed(injectManifest(text, capturing))
  const again = changed(injectManifest(first.text, capturing))
  assert.equal(again.text, first.text)
  for (const { objects, findings } of [first, again])
    assert.deepEqual(
      checkServices(objects, findings).map(({ passes }) => passes),
      [true, true, false],
    )
  assert.match(first.text, /name: outrigger-capture[\s\S]*name: outrigger\n[\s\S]*name: migrate/)
  const back = changed(uninjectManifest(first.text))
  assert.deepEqual(
    parseAllDocuments(back.text).map(one => one.toJS() as unknown),
    parseAllDocuments(text).map(one => one.toJS() as unknown),
  )
})
