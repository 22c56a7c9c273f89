import assert from 'node:assert/strict'
import type http from 'node:http'
import { test } from 'node:test'
import { DecisionServer } from '../harness/decision-server.ts'
import { ALLOW, httpDecider, startDecided } from '../harness/decided.ts'
import { InProcess } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

test('over HTTP: 2xx allows, and says who calls', async t => {
  const { service, seen } = await httpDecider(t, ALLOW)
  const { sink, ask, proxy } = await startDecided(t, service.port, { external: 'upstreamHeaders: x-user-id' })
  const fields =
    'authorization: Bearer x\r\nx-user-id: mallory\r\nx-forwarded-uri: /open\r\nx-a: 1\r\nx-a: 2\r\n'
  const response = await ask('POST /a/../x?a=1 HTTP/1.1\r\n', `${fields}content-length: 5\r\n`, 'hello')
  assert.equal(response.status, 200)
  const [question] = seen
  assert.ok(question)
  assert.deepEqual([question.method, question.url, question.body], ['POST', '/x?a=1', ''])
  const { headers } = question
  assert.deepEqual(
    [headers.host, headers['x-forwarded-method'], headers['x-forwarded-uri'], headers['x-forwarded-host']],
    ['shop.example:8080', 'POST', '/x?a=1', 'shop.example:8080'],
  )
  assert.deepEqual(
    [headers.authorization, headers['x-a'], headers['x-user-id'], headers['content-length']],
    ['Bearer x', '1,2', undefined, '0'],
  )
  const [passed] = sink.requestsSeen()
  assert.equal(passed?.headers['x-user-id'], 'alice')
  assert.equal(passed?.headers['x-other'], undefined)
  assert.equal(passed?.body.toString(), 'hello')
  // On any listener and route: who does not ask, does not believe.
  assert.equal((await ask('GET /here HTTP/1.1\r\n')).status, 200)
  assert.equal(seen.length, 1)
  for (let i = 0; i < 5; i++) assert.equal((await ask()).status, 200)
  assert.equal(service.connections, 1)
  assert.match(
    await proxy.metrics(),
    /^outrigger_external_decisions_total\{external="opa",decision="allow"\} 6$/m,
  )
})

test('over HTTP: any other status is the answer', async t => {
  const { service } = await httpDecider(t, (_request, response) => {
    const fields = { location: '/login', 'x-internal': 'secret', 'set-cookie': ['a=1', 'b=2'] }
    response.writeHead(302, fields).end('go there')
  })
  const { sink, ask, proxy } = await startDecided(t, service.port)
  const response = await ask()
  assert.equal(response.status, 302)
  assert.equal(response.headers['location'], '/login')
  assert.equal(response.headers['x-internal'], undefined)
  assert.equal(response.body.toString(), 'go there')
  assert.deepEqual(sink.requestsSeen(), [])
  const line = await proxy.accessLine(one => one.status === 302)
  assert.equal(line.reason, 'forbidden')
})

test('over HTTP: a path and names of its own', async t => {
  const { service, seen } = await httpDecider(t, (_request, response) => {
    response.writeHead(403).end()
  })
  const { ask } = await startDecided(t, service.port, {
    external: 'path: "/oauth2/auth?x=1", headers: [cookie]',
  })
  const response = await ask('DELETE /x HTTP/1.1\r\n', 'cookie: a=b\r\nauthorization: Bearer x\r\n')
  assert.equal(reasonOf(response), 'forbidden')
  const [question] = seen
  assert.ok(question)
  assert.deepEqual([question.method, question.url, question.headers.host], ['GET', '/oauth2/auth?x=1', 'opa'])
  assert.deepEqual([question.headers.cookie, question.headers.authorization], ['a=b', undefined])
  assert.equal(question.headers['x-forwarded-method'], 'DELETE')
})

test('row 61: over HTTP nobody passes without a decision', async t => {
  let answer: http.RequestListener = (_request, response) => void response.destroy()
  const { service } = await httpDecider(t, (request, response) => answer(request, response))
  const clock = new SteppedClock()
  const { sink, ask, proxy } = await startDecided(t, service.port, { clock })
  const refused = async () => {
    const response = await ask()
    assert.equal(response.status, 503)
    assert.equal(reasonOf(response), 'authorization_unavailable')
  }
  await refused()
  answer = (_request, response) => void response.writeHead(500).end()
  await refused()
  answer = (_request, response) => void response.writeHead(200).end('x'.repeat(70_000))
  await refused()
  // No answer to what was asked, and nothing for a client: it would take what follows for another protocol.
  answer = (_request, response) => void response.writeHead(101).end()
  await refused()
  answer = () => {}
  const hanging = ask()
  await proxy.until('the question', () => service.connections > 0 && proxy.service.proxy.active === 1)
  await proxy.step(220, 10)
  assert.equal((await hanging).status, 503)
  await service.close()
  await refused()
  assert.deepEqual(sink.requestsSeen(), [])
})

test('403 where the configuration says so, and nothing but a report where it is tried out', async t => {
  const { service } = await httpDecider(t, (_request, response) => {
    response.writeHead(500).end()
  })
  const strict = await startDecided(t, service.port, { external: 'onError: 403' })
  assert.equal(reasonOf(await strict.ask()), 'forbidden')
  const dry = await startDecided(t, service.port, { authorize: '{ external: opa, dryRun: on }' })
  assert.equal((await dry.ask()).status, 200)
  assert.match(
    await dry.proxy.metrics(),
    /^outrigger_external_decisions_total\{external="opa",decision="would_deny"\} 1$/m,
  )
})

test('a service on trial is asked beside the one that decides, not in its place', async t => {
  let status = 403
  const deciding = await httpDecider(t, (_request, response) => void response.writeHead(status).end())
  const tried = await httpDecider(t, (_request, response) => void response.writeHead(409).end())
  const proxy = await InProcess.start(`version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    authorize: { external: opa }
    routes:
      - { name: app, authorize: { external: next, dryRun: on }, respond: {} }
      - { name: same, match: { path: /same }, authorize: { external: opa, dryRun: on }, respond: {} }
authorization: { external: { opa: { upstream: opa }, next: { upstream: next } } }
upstreams:
  opa: { endpoints: ["127.0.0.1:${deciding.service.port}"] }
  next: { endpoints: ["127.0.0.1:${tried.service.port}"] }
`)
  t.after(() => proxy.stop())
  const ask = async (path: string) => (await proxy.ask(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`)).status
  assert.deepEqual([await ask('/'), await ask('/same')], [403, 403])
  status = 200
  assert.deepEqual([await ask('/'), await ask('/same')], [200, 200])
  assert.match(
    await proxy.metrics(),
    /^outrigger_external_decisions_total\{external="next",decision="would_deny"\} 2$/m,
  )
})

test('what else is asked holds first', async t => {
  const { service, seen } = await httpDecider(t, ALLOW)
  const { ask } = await startDecided(t, service.port, { authorize: '{ groups: ops, external: opa }' })
  assert.equal(reasonOf(await ask()), 'forbidden')
  assert.deepEqual(seen, [])
})

test("over gRPC: Envoy's contract", async t => {
  const decider = await DecisionServer.start()
  t.after(() => decider.stop())
  const { sink, ask } = await startDecided(t, decider.port, {
    external: 'protocol: grpc, upstreamHeaders: [x-user]',
  })
  const allow =
    '0a0208001a2c12110a0f0a06582d557365721205616c69636512120a0a0a05782d7261771a01e91202080118012a03782d7a'
  decider.answer = allow
  for (let i = 0; i < 3; i++)
    assert.equal(
      (await ask(undefined, 'authorization: Bearer x\r\nx-user: mallory\r\nx-z: gone\r\nx-zz: here\r\n'))
        .status,
      200,
    )
  assert.equal(decider.sessions, 1)
  assert.deepEqual(
    sink
      .requestsSeen()
      .map(({ headers }) => [headers['x-user'], headers['x-raw'], headers['x-z'], headers['x-zz']]),
    Array.from({ length: 3 }, () => ['alice', undefined, undefined, 'here']),
  )
  const [question] = decider.asked
  assert.ok(question)
  assert.equal(question.path, '/envoy.service.auth.v3.Authorization/Check')
  assert.equal(question.timeout, '200m')
  const text = question.message.toString('latin1')
  for (const part of ['/x?a=1', 'shop.example:8080', 'Bearer x', '127.0.0.1', 'app'])
    assert.ok(text.includes(part))
  assert.ok(!text.includes('mallory'))
  // Whom it is for stays, whatever it says; names are compared without case.
  decider.answer = '1a182a04486f73742a07582d5a7a2d41622a053a706174682a00'
  const kept = await ask(undefined, 'x-zz-ab: gone\r\n')
  assert.equal(kept.status, 200)
  const last = sink.requestsSeen().at(-1)?.headers
  assert.deepEqual([last?.['host'], last?.['x-zz-ab']], ['shop.example:8080', undefined])
  decider.answer =
    '0a06080712026e6f12300a03089103121c0a1a0a105757572d41757468656e74696361746512064265617265721a0b77686f2061726520796f75'
  const refused = await ask()
  assert.deepEqual(
    [refused.status, refused.headers['www-authenticate'], refused.body.toString()],
    [401, 'Bearer', 'who are you'],
  )
  decider.answer = '0a020810'
  assert.equal(reasonOf(await ask()), 'forbidden')
})

test('row 61: over gRPC nobody passes without a decision, and the next question finds a new session', async t => {
  const decider = await DecisionServer.start()
  t.after(() => decider.stop())
  const clock = new SteppedClock()
  const { sink, ask, proxy } = await startDecided(t, decider.port, { external: 'protocol: grpc', clock })
  for (const answer of ['', '0a05', 'resetting', { status: '14' }] as const) {
    decider.answer = answer
    assert.equal(reasonOf(await ask()), 'authorization_unavailable', JSON.stringify(answer))
  }
  decider.answer = 'hanging'
  const asked = decider.asked.length
  const hanging = ask()
  await proxy.until('the question', () => decider.asked.length > asked)
  await proxy.step(220, 10)
  assert.equal((await hanging).status, 503)
  decider.answer = '0a00'
  assert.equal((await ask()).status, 200)
  assert.equal(decider.sessions, 2)
  await decider.stop()
  assert.equal((await ask()).status, 503)
  assert.equal((await ask()).status, 503)
  assert.equal(sink.requestsSeen().length, 1)
})
