// Limits in kinds of Redis: a cluster of three nodes, one of which dies, and a server that wants TLS, a certificate and a user.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { CertificateFolder } from '../harness/certificates.ts'
import { freePort } from '../harness/free-port.ts'
import { InProcess } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { type RunningProgram, startRedis } from '../harness/programs.ts'
import { RawClient } from '../harness/raw-client.ts'

const SLOTS = 16_384

/** A cluster of masters that share the slots. */
async function startCluster(count: number): Promise<RunningProgram[]> {
  const nodes = await Promise.all(
    Array.from({ length: count }, async () =>
      startRedis('--cluster-enabled', 'yes', '--cluster-port', String(await freePort())),
    ),
  )
  const clients = nodes.map(({ port }) => createClient({ url: `redis://127.0.0.1:${port}` }))
  await Promise.all(clients.map(client => client.connect()))
  for (const [index, client] of clients.entries()) {
    const from = Math.floor((SLOTS * index) / count)
    const to = Math.floor((SLOTS * (index + 1)) / count) - 1
    await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', String(from), String(to)])
    const bus = textOf(await client.sendCommand(['CONFIG', 'GET', 'cluster-port']).then(busPort))
    for (const other of clients) {
      if (other !== client)
        await other.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(nodes[index]?.port), bus])
    }
  }
  for (const client of clients) {
    for (let i = 0; ; i++) {
      const info = textOf(await client.sendCommand(['CLUSTER', 'INFO']))
      if (info.includes('cluster_state:ok') && info.includes(`cluster_size:${count}`)) break
      if (i > 500) throw new Error(`no cluster: ${info}`)
      await pause(20)
    }
    client.destroy()
  }
  return nodes
}

function textOf(reply: unknown): string {
  return typeof reply === 'string' ? reply : ''
}

/** What `CONFIG GET` of one setting says. */
function busPort(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply[1]
  return Object.values(reply as Record<string, unknown>)[0] // a map, in RESP3
}

function configuration(store: string, limit: string): string {
  return `version: 1
service: test
stores: { default: ${store} }
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    routes:
      - { name: limited, match: { path: /limited }, respond: { body: ok }, rateLimit: ${limit} }
      - { name: warm, match: { path: /warm }, respond: { body: ok }, rateLimit: { requests: 1000000, per: hour, by: { header: x-tenant } } }
`
}

/** Asks once for each tenant. @returns the statuses */
async function ask(port: number, path: string, tenants: readonly string[]): Promise<number[]> {
  const client = await RawClient.connect(port)
  const statuses: number[] = []
  for (const tenant of tenants)
    statuses.push((await client.ask(`GET ${path} HTTP/1.1\r\nhost: a\r\nx-tenant: ${tenant}\r\n\r\n`)).status)
  client.destroy()
  return statuses
}

const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`)
const count = (statuses: readonly number[], status: number): number =>
  statuses.filter(one => one === status).length

async function started(t: TestContext, yaml: string): Promise<InProcess> {
  const proxy = await InProcess.start(yaml)
  t.after(() => proxy.stop())
  for (let i = 0; i < 300; i++) {
    if (count(await ask(proxy.port(), '/warm', tenants), 200) === tenants.length) return proxy
    await pause(20)
  }
  throw new Error(`the store does not come: ${JSON.stringify(proxy.errors)}`)
}

test(
  'a cluster: limits in several slots count exactly, each tenant and all together, in two processes',
  needs('redis-server'),
  async t => {
    const nodes = await startCluster(3)
    t.after(() => Promise.all(nodes.map(node => node.stop())))
    const urls = nodes.slice(0, 2).map(({ port }) => `"redis://127.0.0.1:${port}"`)
    const yaml = configuration(
      `{ redis: [${urls.join(', ')}], cluster: on, timeout: 2s, onError: deny }`,
      '[{ requests: 5, per: hour, by: { header: x-tenant } }, { requests: 40, per: day, by: all }]',
    )
    const [first, second] = [await started(t, yaml), await started(t, yaml)]
    const rounds = [1, 2, 3, 4, 5, 6, 7]
    const statuses = await Promise.all(
      [first, second].flatMap(proxy => rounds.map(() => ask(proxy.port(), '/limited', tenants.slice(0, 6)))),
    )
    // Six tenants with five each. What one slot counted is taken back where another refused, a moment later.
    assert.equal(count(statuses.flat(), 200), 30)
    assert.equal(count(statuses.flat(), 503), 0)
    await pause(50)
    const rest = await ask(first.port(), '/limited', [...tenants.slice(6), ...tenants.slice(6)])
    assert.equal(count(rest, 200), 10, 'all together 40')
    const other = await Promise.all(tenants.map(tenant => ask(second.port(), '/limited', [tenant])))
    assert.equal(count(other.flat(), 200), 0)
  },
)

test(
  'a cluster that loses a node: its tenants are counted here, the others there',
  needs('redis-server'),
  async t => {
    const nodes = await startCluster(3)
    t.after(() => Promise.all(nodes.map(node => node.stop())))
    const urls = nodes.map(({ port }) => `"redis://127.0.0.1:${port}"`)
    const proxy = await started(
      t,
      configuration(
        `{ redis: [${urls.join(', ')}], cluster: on, timeout: 100ms }`,
        '{ requests: 2, per: hour, by: { header: x-tenant } }',
      ),
    )
    assert.equal(count(await ask(proxy.port(), '/limited', tenants), 200), tenants.length)
    process.kill(nodes[2]?.pid ?? 0, 'SIGKILL')
    const statuses: number[] = []
    for (let i = 0; i < 5; i++) statuses.push(...(await ask(proxy.port(), '/limited', tenants)))
    const passed = count(statuses, 200)
    assert.equal(count(statuses, 200) + count(statuses, 429), statuses.length)
    // One more of each, or two of whom the lost node had: never more than twice the limit.
    assert.ok(passed >= tenants.length && passed <= tenants.length * 2, `${passed} passed`)
  },
)

test(
  'TLS with an authority and a certificate of our own, and a user who may do no more than it needs',
  needs('redis-server'),
  async t => {
    const folder = await CertificateFolder.create()
    t.after(() => folder.remove())
    await folder.write('redis', { dns: ['localhost'], addresses: ['127.0.0.1'] })
    const ours = await folder.write('ours', { commonName: 'outrigger' })
    writeFileSync(
      folder.file('users.acl'),
      'user default off\nuser limits on >a-password ~outrigger:test:* -@all +evalsha +eval +script|load +time +get +set +hello\n',
    )
    const port = await freePort()
    const server = await startRedis(
      ...[
        '--tls-port',
        String(port),
        '--tls-cert-file',
        folder.file('redis.crt'),
        '--tls-key-file',
        folder.file('redis.key'),
      ],
      ...['--tls-ca-cert-file', folder.ca, '--aclfile', folder.file('users.acl')],
    )
    t.after(() => server.stop())
    const store = (url: string, tls: string): string =>
      `{ redis: "${url}", tls: ${tls}, timeout: 2s, onError: deny }`
    const right = `rediss://limits:a-password@127.0.0.1:${port}`
    const limit = '{ requests: 3, per: hour, by: all }'
    const proxy = await started(t, configuration(store(right, `{ ca: "${folder.ca}", ${ours} }`), limit))
    const statuses = await ask(proxy.port(), '/limited', tenants.slice(0, 5))
    assert.deepEqual(statuses, [200, 200, 200, 429, 429])
    for (const [url, tls] of [
      [right.replace('a-password', 'another'), `{ ca: "${folder.ca}", ${ours} }`],
      [right, '{}'],
      [right, `{ ca: "${folder.ca}" }`],
    ] as const) {
      const refused = await InProcess.start(configuration(store(url, tls), limit))
      t.after(() => refused.stop())
      const said = await refused.until(
        'a warning',
        () => refused.errors.find(line => line['msg'] === 'a store cannot be reached') ?? null,
      )
      assert.doesNotMatch(JSON.stringify(said), /a-password|another/)
      assert.deepEqual(await ask(refused.port(), '/limited', ['a']), [503])
    }
  },
)
