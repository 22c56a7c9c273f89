// Request bodies that are shown to a service that decides.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALLOW, httpDecider, startDecided } from '../harness/decided.ts'
import { DecisionServer } from '../harness/decision-server.ts'
import { reasonOf } from '../harness/problem.ts'

test('a body is shown to the service, and goes upstream as it came', async t => {
  const { service, seen } = await httpDecider(t, (request, response) => {
    response.writeHead(request.url === '/deny' ? 403 : 200).end()
  })
  const { sink, ask, proxy } = await startDecided(t, service.port, { external: 'body: 1KiB' })
  const whole = 'content-length: 5\r\n'
  const chunked = 'transfer-encoding: chunked\r\n'
  assert.equal((await ask('POST /one HTTP/1.1\r\n', whole, 'hello')).status, 200)
  assert.equal((await ask('POST /two HTTP/1.1\r\n', chunked, '3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n')).status, 200)
  assert.equal((await ask('GET /three HTTP/1.1\r\n')).status, 200)
  assert.equal((await ask('POST /four HTTP/1.1\r\n', 'content-length: 0\r\n')).status, 200)
  assert.deepEqual(
    seen.map(({ url, body, headers }) => [url, body, headers['content-length']]),
    [
      ['/one', 'hello', '5'],
      ['/two', 'hello', '5'],
      ['/three', '', undefined],
      ['/four', '', '0'],
    ],
  )
  const passed = sink.requestsSeen().map(({ body }) => body.toString())
  assert.deepEqual(passed, ['hello', 'hello', '', ''])
  // A refusal leaves the connection whole.
  const client = await proxy.connect()
  for (const [target, status] of [
    ['/deny', 403],
    ['/x', 200],
  ] as const) {
    const head = `POST ${target} HTTP/1.1\r\nhost: a\r\n${whole}\r\nhello`
    assert.equal((await client.ask(head, { method: 'POST' })).status, status)
  }
  client.destroy()
  // Whoever waits for it is told to go on.
  const waiting = await proxy.connect()
  waiting.send(`POST /w HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n${whole}\r\n`)
  assert.equal(await waiting.readUntil('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
  waiting.send('hello')
  assert.equal((await waiting.readResponse({ method: 'POST' })).status, 200)
  waiting.destroy()
  // Who leaves in the middle is nobody's question.
  const asked = seen.length
  const leaving = await proxy.connect()
  leaving.send(`POST /gone HTTP/1.1\r\nhost: a\r\n${whole}\r\nhe`)
  await proxy.until('the request', () => proxy.service.proxy.active === 1)
  leaving.destroy()
  await proxy.until('its end', () => proxy.service.proxy.active === 0)
  assert.equal(seen.length, asked)
})

test('a body that is longer than was agreed is refused, and passes where the service is only tried out', async t => {
  const { service, seen } = await httpDecider(t, ALLOW)
  const long = 'x'.repeat(3000)
  const pieces = `${(1500).toString(16)}\r\n${long.slice(0, 1500)}\r\n`.repeat(2)
  const bodies: [fields: string, body: string][] = [
    [`content-length: ${long.length}\r\n`, long],
    ['transfer-encoding: chunked\r\n', `${pieces}0\r\n\r\n`],
  ]
  const { sink, ask, proxy } = await startDecided(t, service.port, { external: 'body: 2KiB' })
  for (const [fields, body] of bodies) {
    const response = await ask('POST /x HTTP/1.1\r\n', fields, body)
    assert.deepEqual([response.status, reasonOf(response)], [413, 'request_too_large'])
  }
  assert.deepEqual([seen.length, sink.requestsSeen().length], [0, 0])
  assert.equal(proxy.service.budget.used, 0)
  const trial = await startDecided(t, service.port, {
    external: 'body: 2KiB',
    authorize: '{ external: opa, dryRun: on }',
  })
  for (const [fields, body] of bodies)
    assert.equal((await trial.ask('POST /x HTTP/1.1\r\n', fields, body)).status, 200)
  assert.deepEqual(
    trial.sink.requestsSeen().map(({ body }) => body.toString()),
    [long, long],
  )
  assert.deepEqual(
    seen.map(({ body }) => body),
    ['', ''],
  )
})

test('over gRPC: a body as text, or as bytes where it is none', async t => {
  const decider = await DecisionServer.start()
  t.after(() => decider.stop())
  const { ask } = await startDecided(t, decider.port, { external: 'protocol: grpc, body: 1KiB' })
  const fields = 'content-length: 5\r\n'
  for (const body of ['hello', 'he\xff\xfeo'])
    assert.equal((await ask('POST /x HTTP/1.1\r\n', fields, body)).status, 200)
  // Fields 11 and 12 of `request.http`.
  const shown = decider.asked.map(({ message }) => [
    message.includes(Buffer.from('5a0568656c6c6f', 'hex')),
    message.includes(Buffer.from('62056865fffe6f', 'hex')),
  ])
  assert.deepEqual(shown, [
    [true, false],
    [false, true],
  ])
})

test('of a call of gRPC-Web the service sees the bytes that go upstream, not their base64', async t => {
  const { service, seen } = await httpDecider(t, ALLOW)
  const { sink, ask } = await startDecided(t, service.port, { external: 'body: 1KiB', route: 'grpcWeb: on' })
  const message = Buffer.from('\0\0\0\0\u0005drop!', 'latin1')
  const text = message.toString('base64')
  const type = 'content-type: application/grpc-web-text\r\n'
  for (const body of [text, text.slice(0, -1)])
    await ask('POST /shop.Orders/Drop HTTP/1.1\r\n', `${type}content-length: ${body.length}\r\n`, body)
  assert.deepEqual(
    seen.map(({ body, headers }) => [body, headers['content-type'], headers['content-length']]),
    [[message.toString('latin1'), 'application/grpc', String(message.length)]],
  )
  assert.deepEqual(
    sink.requestsSeen().map(({ body }) => body.toString('latin1')),
    [message.toString('latin1')],
  )
})
