// A real process that finds its endpoints in Kubernetes, and the commands that only read its configuration.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check } from '../../sidecar/commands/check.ts'
import type { Command } from '../../sidecar/commands/command.ts'
import { explain } from '../../sidecar/commands/explain.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { Cluster } from '../harness/pods.ts'
import { RawClient } from '../harness/raw-client.ts'

const GET = 'GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'

async function run(command: Command, ...args: string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const keep = (more: string): void => void (text += more)
  const code = await command.run(args, { stdout: keep, stderr: keep })
  return { code, text }
}

interface Described {
  readonly names: readonly { readonly written: string; readonly error: string }[]
  readonly endpoints: readonly { readonly address: string; readonly zone: string }[]
}

test('a process: its source and error in /upstreams and explain, its metrics, its log; check and explain ask nobody', async t => {
  const cluster = await Cluster.start(t)
  const pod = await cluster.pod('a', { zone: 'a' })
  const outrigger = await Outrigger.start(`version: 1
service: test
listeners: [{ name: in, role: inbound, address: "127.0.0.1:0", retry: off, upstream: orders }]
upstreams: { orders: { discovery: { kubernetes: { service: orders, namespace: shop, port: http, api: "${cluster.api.url}" } } } }
admin: { address: "127.0.0.1:0" }
`)
  t.after(() => outrigger.stop('SIGKILL'))
  const ask = (): Promise<string> =>
    RawClient.connect(outrigger.port('in')).then(async client => {
      const { status, body } = await client.ask(GET, { timeout: 20_000 })
      return `${status} ${body.toString()}`
    })
  assert.equal(await ask(), '200 a')
  const base = `http://127.0.0.1:${outrigger.adminPort}`
  const described = async (): Promise<Described | undefined> =>
    ((await (await fetch(`${base}/upstreams`)).json()) as Described[])[0] // the contract of the page
  assert.deepEqual((await described())?.names, [{ written: 'kubernetes orders.shop:http', error: '' }])
  const [endpoint] = (await described())?.endpoints ?? []
  assert.equal(endpoint?.address, `127.0.0.1:${pod.port}`)
  assert.equal(endpoint.zone, 'a')

  await cluster.api.down()
  await outrigger.logged(line => line.msg === 'a service cannot be watched: its last endpoints stay', 20_000)
  assert.equal(await ask(), '200 a')
  assert.match((await described())?.names[0]?.error ?? '', /^ECONN(?:RESET|REFUSED)$/)
  assert.match(
    await (await fetch(`${base}/metrics`)).text(),
    /outrigger_discovery_watching\{service="orders.shop"\} 0\n/,
  )
  const at = `127.0.0.1:${outrigger.adminPort}`
  const live = await run(explain, '-c', outrigger.folder, '--admin', at, 'GET', 'http://a/x')
  assert.match(
    live.text,
    /served by +kubernetes orders\.shop:http of http:\/\/127\.0\.0\.1:\d+ \(least-request\)/,
  )
  assert.match(live.text, /source +kubernetes orders\.shop:http: ECONN/)

  await cluster.api.up()
  // The longer it was away, the later it is tried again.
  await outrigger.logged(line => line.msg === 'a service is watched again', 30_000)
  cluster.api.requests.length = 0
  assert.equal((await run(check, '-c', outrigger.folder)).code, 0)
  assert.equal((await run(explain, '-c', outrigger.folder, 'GET', 'http://a/x')).code, 0)
  assert.deepEqual(cluster.api.requests, [])
  const { code } = await outrigger.stop('SIGTERM')
  assert.equal(code, 0)
})

test('outside of a cluster, and in a pod without an account: it starts, answers 503 and says why', async () => {
  const yaml = `version: 1
service: test
listeners: [{ name: in, role: inbound, address: "127.0.0.1:0", retry: off, upstream: orders }]
upstreams: { orders: { discovery: { kubernetes: orders } } }
`
  const cases: [env: Record<string, string>, why: RegExp][] = [
    [{ KUBERNETES_SERVICE_HOST: '' }, /this is no pod of Kubernetes, and no `api` is given/],
    [{ KUBERNETES_SERVICE_HOST: '127.0.0.1' }, /the namespace is not known here: say `namespace`/],
  ]
  for (const [env, why] of cases) {
    const outrigger = await Outrigger.start(yaml, { env })
    const client = await RawClient.connect(outrigger.port('in'))
    assert.equal((await client.ask(GET, { timeout: 20_000 })).status, 503)
    const line = await outrigger.logged(({ msg }) => msg.startsWith('a service cannot be watched'), 20_000)
    assert.match(String(line['why']), why)
    await outrigger.stop('SIGKILL')
  }
})
