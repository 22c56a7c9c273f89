import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { freePort } from '../harness/free-port.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'

function yaml(admin: string, body = 'one'): string {
  return `version: 1
service: reload
admin: ${admin}
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", respond: { body: ${body} } }
`
}

async function start(context: TestContext, text: string): Promise<Outrigger> {
  const outrigger = await Outrigger.start(text)
  context.after(() => outrigger.stop('SIGKILL'))
  return outrigger
}

/** The status of an admin request; 0 where nobody listens. */
async function ask(port: number, request: string, token = ''): Promise<number> {
  const line = token === '' ? '' : `authorization: Bearer ${token}\r\n`
  try {
    const client = await RawClient.connect(port)
    const method = request.split(' ')[0] ?? 'GET'
    const { status } = await client.ask(
      `${request} HTTP/1.1\r\nhost: localhost\r\n${line}content-length: 0\r\n\r\n`,
      { method },
    )
    client.destroy()
    return status
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') return 0
    throw error
  }
}

/** Waits until an address is no longer served. */
async function gone(port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if ((await ask(port, 'GET /healthz')) === 0) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  assert.fail(`${port} is still served`)
}

test('the admin address moves: the new one answers before the old one closes', async context => {
  const [first, second] = [await freePort(), await freePort()]
  const outrigger = await start(context, yaml(`{ address: "127.0.0.1:${first}" }`))
  assert.equal(await ask(first, 'GET /readyz'), 200)
  // One that is under way gets its answer.
  const under = await RawClient.connect(first)
  under.send('GET /heal')
  await outrigger.reload(yaml(`{ address: "127.0.0.1:${second}" }`))
  assert.equal(await ask(second, 'GET /readyz'), 200)
  assert.equal((await under.ask('thz HTTP/1.1\r\nhost: localhost\r\n\r\n')).status, 200)
  await gone(first)
})

test('a new token holds at once, on the same address', async context => {
  const port = await freePort()
  const outrigger = await start(
    context,
    yaml(`{ address: "127.0.0.1:${port}", token: first-token-of-some-length }`),
  )
  const write = 'POST /log-level?level=info'
  assert.equal(await ask(port, write, 'first-token-of-some-length'), 200)
  await outrigger.reload(yaml(`{ address: "127.0.0.1:${port}", token: second-token-of-some-length }`))
  assert.equal(await ask(port, write, 'first-token-of-some-length'), 401)
  assert.equal(await ask(port, write, 'second-token-of-some-length'), 200)
  await outrigger.reload(yaml(`{ address: "127.0.0.1:${port}" }`))
  assert.equal(await ask(port, write), 200)
})

test('probes come, go, and change places with the admin address', async context => {
  const [first, second] = [await freePort(), await freePort()]
  const outrigger = await start(context, yaml(`{ address: "127.0.0.1:${first}" }`))
  await outrigger.reload(yaml(`{ address: "127.0.0.1:${first}", probes: "127.0.0.1:${second}" }`))
  assert.deepEqual([await ask(second, 'GET /healthz'), await ask(second, 'GET /config')], [200, 404])
  await outrigger.reload(yaml(`{ address: "127.0.0.1:${second}", probes: "127.0.0.1:${first}" }`))
  assert.deepEqual([await ask(first, 'GET /healthz'), await ask(first, 'GET /config')], [200, 404])
  assert.equal(await ask(second, 'GET /config'), 200)
  await outrigger.reload(yaml(`{ address: "127.0.0.1:${second}" }`))
  await gone(first)
})

test('an admin address that is taken refuses the whole reload', async context => {
  const port = await freePort()
  const outrigger = await start(context, yaml(`{ address: "127.0.0.1:${port}" }`))
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const line = await outrigger.reload(yaml(`{ address: "127.0.0.1:${address.port}" }`, 'two'))
  assert.match(line.msg, /^reload refused/)
  assert.match(String(line['errors']), /admin\.address: .* is taken/)
  assert.equal(await ask(port, 'GET /readyz'), 200)
  const client = await RawClient.connect(outrigger.port('in'))
  assert.equal((await client.ask('GET / HTTP/1.1\r\nhost: a\r\n\r\n')).body.toString(), 'one')
  client.destroy()
})
