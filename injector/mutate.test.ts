import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { mutate } from './mutate.ts'
import { readPod } from './pod.ts'
import { restore } from './restore.ts'
import { readSettings } from './settings.ts'
import { formatConfigErrors } from '../sidecar/config/config-error.ts'
import { loadConfig } from '../sidecar/config/load/load.ts'
import { assertKept } from '../test/harness/kept-fields.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/)
const unknownField = fc.record({ someFutureField: fc.jsonValue() }, { requiredKeys: [] })
const empty = fc.constantFrom(undefined, null)

/** A key that is there, absent or empty: a pod has each of them. */
const maybe = <T>(value: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary: value }, empty)

const rarely = <T>(rare: T, usual: T) =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(rare) }, { weight: 5, arbitrary: fc.constant(usual) })

const portNumber = fc.constantFrom(80, 3000, 8080, 8081, 9090, 15_006, 16_000)
const target = fc.oneof(portNumber, fc.constantFrom('http', 'admin', 'nowhere'))
const handler = fc.oneof(
  fc.record({
    httpGet: fc.record(
      {
        path: fc.constantFrom('/', '/ready', '/a?b=c', '/{x}', 'bare', '//'),
        port: target,
        scheme: fc.constantFrom('HTTP', 'HTTPS'),
      },
      { requiredKeys: ['port'] },
    ),
  }),
  fc.record({ tcpSocket: fc.record({ port: target }) }),
  fc.record({ grpc: fc.record({ port: rarely(8080, 7000) }) }),
  fc.record({ exec: fc.record({ command: fc.array(name) }) }),
)
const container = fc
  .record(
    {
      image: name,
      ports: maybe(
        fc.uniqueArray(
          fc.record(
            {
              name: fc.constantFrom('http', 'admin', 'db'),
              containerPort: portNumber,
              protocol: fc.constantFrom('TCP', 'UDP'),
            },
            { requiredKeys: ['containerPort', 'name'] },
          ),
          { maxLength: 2, selector: port => port.containerPort },
        ),
      ),
      env: maybe(
        fc.array(
          fc.record({
            name: fc.constantFrom('PORT', 'A', 'USERS_URL', 'HTTP_PROXY'),
            value: fc.constantFrom('8080', 'x'),
          }),
          {
            maxLength: 4,
          },
        ),
      ),
      readinessProbe: maybe(handler),
      livenessProbe: maybe(handler),
      lifecycle: maybe(fc.record({ preStop: handler, postStart: handler }, { requiredKeys: [] })),
      restartPolicy: fc.constantFrom('Always'),
    },
    { requiredKeys: [] },
  )
  .chain(fields => unknownField.map(more => ({ ...more, ...fields })))

const annotations = fc.record(
  {
    'outrigger.dev/app-port': rarely('8080=3000', '3000'),
    'outrigger.dev/move-port': fc.constantFrom('env'),
    'outrigger.dev/capture': fc.constantFrom('inbound'),
    'outrigger.dev/tcp-ports': rarely('8080', ''),
    'outrigger.dev/http2-ports': rarely('8080', ''),
    'outrigger.dev/skip-ports': rarely('8081', ''),
    'outrigger.dev/upstreams': fc.constantFrom('users', 'users,billing=https://b.example', ''),
    'outrigger.dev/http-proxy': fc.constantFrom('enabled'),
    'outrigger.dev/inject': rarely('disabled', 'enabled'),
    other: fc.string(),
  },
  { requiredKeys: [] },
)

const named = (list: object[], prefix: string) =>
  list.map((one, index) => ({ name: `${prefix}${index}`, ...one }))

const pods = fc.record(
  {
    metadata: maybe(
      fc.record(
        { annotations: maybe(annotations), labels: maybe(fc.dictionary(name, name)) },
        { requiredKeys: [] },
      ),
    ),
    spec: fc
      .record(
        {
          containers: fc.array(container, { minLength: 1, maxLength: 3 }).map(list => named(list, 'c')),
          initContainers: maybe(fc.array(container, { maxLength: 2 }).map(list => named(list, 'i'))),
          volumes: maybe(fc.array(fc.record({ name: fc.constantFrom('a', 'b') }), { maxLength: 2 })),
          securityContext: maybe(fc.record({ runAsUser: fc.nat() }, { requiredKeys: [] })),
          restartPolicy: rarely('Never', 'Always'),
          hostNetwork: rarely(true, false),
        },
        { requiredKeys: ['containers'] },
      )
      .chain(fields => unknownField.map(more => ({ ...more, ...fields }))),
  },
  { requiredKeys: ['spec'] },
)

/** As it comes from a file: without keys that are undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('on any pod: injecting again changes nothing, uninjecting gives it back, nothing is lost', () => {
  let injectedCount = 0
  const versions = fc.constantFrom('1.28', '1.30', '1.32')
  fc.assert(
    fc.property(pods, versions, (made, kubernetesVersion) => {
      const pod = plain(made)
      const settings = readSettings({
        image: 'outrigger:1',
        captureImage: 'iptables:1',
        inject: 'enabled',
        kubernetesVersion,
      })
      assert.ok(typeof settings !== 'string')
      const before = JSON.stringify(pod)
      const { pod: done, report } = mutate(pod, settings)
      assert.equal(JSON.stringify(pod), before)
      assert.notEqual(report.detail, '')
      if (report.outcome === 'skipped') {
        assert.equal(done, pod)
        return
      }
      injectedCount++
      assert.equal(mutate(done, settings).pod, done)
      const read = readPod(plain(done))
      assert.ok(typeof read !== 'string')
      assert.deepEqual(restore(read), pod)
      assertKept(pod, plain(done))
      assertLoads(read.metadata?.annotations?.['outrigger.dev/generated-config'] ?? '')
    }),
    { numRuns: 250 },
  )
  assert.ok(injectedCount > 30, `${injectedCount} injected`)
})

const folder = mkdtempSync(join(tmpdir(), 'outrigger-mutate-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function assertLoads(text: string): void {
  const file = join(folder, 'outrigger-injected.yaml')
  writeFileSync(file, text)
  const result = loadConfig([file], { secrets: true })
  assert.ok(result.ok, result.ok ? '' : formatConfigErrors(result.errors))
}

test('wrong settings are all named', () => {
  const said = readSettings({ kubernetesVersion: 'new', ports: { admin: 80 }, colour: 'red' })
  assert.ok(typeof said === 'string')
  for (const name of ['image', 'kubernetesVersion', 'ports.admin', 'colour'])
    assert.ok(said.includes(name), said)
})
