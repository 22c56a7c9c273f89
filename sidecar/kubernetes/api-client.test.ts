import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { CertificateFolder } from '../../test/harness/certificates.ts'
import { turns } from '../../test/harness/in-process.ts'
import { FakeKubernetesApi, type FakeKubernetesOptions } from '../../test/harness/fake-kubernetes-api.ts'
import { type ApiBounds, ApiClient } from './api-client.ts'
import { inClusterSettings } from './api-settings.ts'
import type { ApiObject } from './api-object.ts'
import { metaOf } from './api-object.ts'

const SECRETS = '/api/v1/namespaces/shop/secrets'
const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-kubernetes-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A server, and a client of it with a token file. */
async function setUp(
  t: TestContext,
  options: FakeKubernetesOptions & { caFile?: string; bounds?: ApiBounds } = {},
) {
  const api = await FakeKubernetesApi.start(options)
  const tokenFile = path.join(folder, `token-${api.port}`)
  writeFileSync(tokenFile, 'first\n')
  const client = new ApiClient(
    { url: api.url, caFile: options.caFile ?? null, tokenFile, namespaceFile: null },
    options.bounds,
  )
  t.after(async () => {
    client.close()
    await api.close()
  })
  return { api, client, tokenFile }
}

/** Hears a watch: `ADDED orders-1`, then `end 200`. */
function hear(client: ApiClient, params: Record<string, string | number | boolean> = {}) {
  const heard: string[] = []
  const waiting: (() => void)[] = []
  const say = (line: string): void => {
    heard.push(line)
    for (const wake of waiting.splice(0)) wake()
  }
  const stream = client.watch(SECRETS, params, {
    onOpen: () => say('open'),
    onEvent: (type, object: ApiObject) => say(`${type} ${metaOf(object).name}`.trimEnd()),
    onEnd: ({ status, error }) => say(`end ${status} ${error}`.trimEnd()),
  })
  /** Waits until something was heard that contains the words. */
  const until = async (words: string): Promise<void> => {
    while (!heard.some(line => line.includes(words)))
      await new Promise<void>(resolve => waiting.push(resolve))
  }
  return { heard, stream, until }
}

test('objects are made, read, replaced, patched and removed; a conflict and a missing one are answers', async t => {
  const { client } = await setUp(t)
  const made = await client.create(SECRETS, { metadata: { name: 'ca' }, data: { a: '1', b: '2' } })
  assert.equal(made.status, 201)
  const at = `${SECRETS}/ca`
  const replaced = await client.replace(at, { ...(made.body as ApiObject), data: { a: '3', b: '2' } })
  assert.equal(replaced.status, 200)
  const late = await client.replace(at, made.body)
  assert.equal(late.status, 409)
  assert.match(late.error, /^409 the object has been modified/)
  assert.equal((await client.patch(at, { data: { a: null } })).status, 200)
  const patch = [{ op: 'add', path: '/data/x~1y', value: '4' }]
  assert.equal((await client.patch(at, patch, 'json')).status, 200)
  const read = await client.get(at)
  assert.deepEqual((read.body as ApiObject)['data'], { b: '2', 'x/y': '4' })
  assert.equal((await client.create(SECRETS, { metadata: { name: 'ca' } })).status, 409)
  assert.equal((await client.delete(at)).status, 200)
  assert.deepEqual((await client.get(at)).status, 404)
})

test('TLS by the authorities of the file, and by no others; the token of the file; a renewed one at once', async t => {
  const certificates = await CertificateFolder.create()
  const tls = await certificates.issue({ addresses: ['127.0.0.1'] })
  const { api, client, tokenFile } = await setUp(t, { tls, tokens: ['first'], caFile: certificates.ca })
  assert.equal((await client.get('/version')).status, 200)
  assert.equal(api.requests[0]?.token, 'first')
  api.tokens.clear()
  api.tokens.add('second')
  assert.deepEqual((await client.get('/version')).error, '401 Unauthorized')
  writeFileSync(tokenFile, 'second')
  assert.equal((await client.get('/version')).status, 200)
  // Renewed between reading and asking: asked once more.
  api.tokens.clear()
  api.tokens.add('third')
  api.intercept = () => {
    writeFileSync(tokenFile, 'third')
    return false
  }
  assert.equal((await client.get('/version')).status, 200)
  const other = await CertificateFolder.create()
  const stranger = new ApiClient({ ...client.settings, caFile: other.ca })
  const refused = await stranger.get('/version')
  assert.equal(refused.status, 0)
  assert.match(refused.error, /CERT|SIGNATURE/)
  stranger.close()
  certificates.remove()
  other.remove()
})

test('whatever is wrong is an answer: no server, no token, no JSON, too much, too slow, closed', async t => {
  const { api, client, tokenFile } = await setUp(t, { bounds: { timeout: 200, maxAnswer: 1000 } })
  api.mode = 'garbage'
  assert.equal((await client.get('/version')).error, 'the answer is no JSON')
  api.mode = 'failing'
  assert.deepEqual((await client.get('/version')).error, '500 etcd is away')
  api.mode = 'silent'
  assert.equal((await client.get('/version')).error, 'no answer within 200 ms')
  api.mode = 'up'
  api.put(`${SECRETS}/big`, { data: 'x'.repeat(2000) })
  assert.equal((await client.get(SECRETS)).error, 'the answer is longer than 1000 bytes')
  api.intercept = (_request, response) =>
    response.writeHead(200, { 'content-length': 10 }).write('{') && false
  api.intercept = (_request, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('{')
    setImmediate(() => response.destroy())
    return true
  }
  assert.match((await client.get('/version')).error, /cut|ECONNRESET|aborted/)
  api.intercept = () => false
  for (const bad of ['', 'two words', 'line\nline', 'ü'.repeat(3)]) {
    writeFileSync(tokenFile, bad)
    assert.equal((await client.get('/version')).error, `${tokenFile} holds no token`)
  }
  rmSync(tokenFile)
  assert.match((await client.get('/version')).error, /the token cannot be read: ENOENT/)
  writeFileSync(tokenFile, 'good')
  assert.match((await client.get('/a b')).error, /UNESCAPED/)
  await api.down()
  assert.equal((await client.get('/version')).error, 'ECONNREFUSED')
  client.close()
  assert.equal((await client.get('/version')).error, 'closed')
})

test('a watch: what is there, what comes, goes and changes, bookmarks, and the end', async t => {
  const { api, client } = await setUp(t)
  api.put(`${SECRETS}/a`, {})
  const watch = hear(client, { allowWatchBookmarks: true })
  await watch.until('ADDED a')
  api.put(`${SECRETS}/b`, {})
  api.put(`${SECRETS}/a`, { data: {} })
  api.put('/api/v1/namespaces/other/secrets/c', {})
  api.remove(`${SECRETS}/b`)
  api.bookmark()
  api.endWatches()
  await watch.until('end')
  assert.deepEqual(watch.heard, [
    'open',
    'ADDED a',
    'ADDED b',
    'MODIFIED a',
    'DELETED b',
    'BOOKMARK',
    'end 200',
  ])
})

test('a watch ends with what is wrong: 410 by event and by status, a cut, rubbish, a line without end, no token', async t => {
  const { api, client, tokenFile } = await setUp(t, { bounds: { maxEvent: 4000, timeout: 300 } })
  const before = api.store.version
  api.compact()
  for (const how of ['event', 'status'] as const) {
    api.goneBy = how
    const gone = hear(client, { resourceVersion: before })
    await gone.until('end')
    assert.match(gone.heard.at(-1) ?? '', /^end 410 410 too old resource version/)
  }
  const cases: [send: () => void, end: RegExp][] = [
    [() => api.endWatches('cut'), /^end 0 (ECONNRESET|the watch was cut|aborted)/],
    [() => api.sendWatches('rubbish\n'), /^end 0 an event is no JSON/],
    [() => api.sendWatches('{"type":"ADDED","object":[]}\n'), /^end 0 an event is none of the API/],
    [() => api.sendWatches('{"type":"BORED","object":{}}\n'), /^end 0 an event is none of the API/],
    [
      () => api.sendWatches('{"type":"ERROR","object":{"code":500,"message":"etcd"}}\n'),
      /^end 500 500 etcd$/,
    ],
    [() => api.sendWatches('x'.repeat(5000)), /^end 0 an event is longer than 4000 bytes/],
  ]
  for (const [send, end] of cases) {
    const watch = hear(client)
    await watch.until('open')
    while (api.watches === 0) await new Promise(setImmediate)
    send()
    await watch.until('end')
    assert.match(watch.heard.at(-1) ?? '', end)
    while (api.watches > 0) await new Promise(setImmediate)
  }
  api.mode = 'silent'
  const silent = hear(client)
  await silent.until('end')
  assert.deepEqual(silent.heard, ['end 0 no answer within 300 ms'])
  api.mode = 'up'
  rmSync(tokenFile)
  const without = hear(client)
  await without.until('end')
  assert.match(without.heard[0] ?? '', /^end 0 the token cannot be read/)
})

test('events that come in pieces, several in one, and between characters', async t => {
  const { api, client } = await setUp(t)
  const watch = hear(client)
  while (api.watches === 0) await new Promise(setImmediate)
  const line = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'häfen' } } })}\n`)
  const bytes = Buffer.concat([line, Buffer.from('\n'), line, line])
  const cut = bytes.indexOf(0xc3) + 1
  api.sendWatches(bytes.subarray(0, cut))
  await turns(5)
  api.sendWatches(bytes.subarray(cut))
  api.endWatches()
  await watch.until('end')
  assert.deepEqual(watch.heard, ['open', 'ADDED häfen', 'ADDED häfen', 'ADDED häfen', 'end 200'])
})

test('one that was closed hears nothing more, before it was open too', async t => {
  const { api, client } = await setUp(t)
  const early = hear(client)
  early.stream.close()
  const late = hear(client)
  await late.until('open')
  late.stream.close()
  api.put(`${SECRETS}/a`, {})
  while (api.watches > 0) await new Promise(setImmediate)
  assert.deepEqual(early.heard, [])
  assert.deepEqual(late.heard, ['open'])
})

test('a pod knows where its API server is, IPv6 too; outside of one there is none', () => {
  assert.equal(inClusterSettings({}), null)
  const settings = inClusterSettings({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' })
  assert.equal(settings?.url, 'https://[fd00::1]:6443')
  assert.equal(settings.tokenFile, '/var/run/secrets/kubernetes.io/serviceaccount/token')
})

test('a pod asks with what its service account is given, and knows its namespace', async t => {
  const certificates = await CertificateFolder.create()
  const api = await FakeKubernetesApi.start({
    tls: await certificates.issue({ addresses: ['127.0.0.1'] }),
    tokens: ['mine'],
  })
  const account = mkdtempSync(path.join(folder, 'account-'))
  copyFileSync(certificates.ca, path.join(account, 'ca.crt'))
  writeFileSync(path.join(account, 'token'), 'mine')
  writeFileSync(path.join(account, 'namespace'), 'shop\n')
  const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api.port) }
  const settings = inClusterSettings(env, account)
  assert.ok(settings !== null)
  const client = new ApiClient(settings)
  t.after(async () => {
    client.close()
    await api.close()
    certificates.remove()
  })
  assert.equal(await client.namespace(), 'shop')
  assert.equal((await client.get('/version')).status, 200)
})
