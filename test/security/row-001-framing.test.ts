// Rows 1 to 4 and 18 of docs/security.md: what two servers could read in two ways is refused, and the connection
// closes. The corpus is that of the parser's own tests; here it goes over sockets, and a sink says what came through.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { REQUEST_CASES, type RequestCase } from '../fuzz/corpus.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'
import { reasonOf } from '../harness/problem.ts'

let sink: RecordingSink
let proxy: InProcess
before(async () => {
  sink = await RecordingSink.listen()
  proxy = await InProcess.start(routeTo(sink.port))
})
after(async () => {
  await proxy.stop()
  await sink.close()
})

for (const row of new Set(REQUEST_CASES.map(one => one.row))) {
  const cases = REQUEST_CASES.filter(one => one.row === row)
  test(`row ${row}: ${cases.length} requests of the corpus, whole and cut`, async () => {
    // One of their own, so that reading back what it recorded stays cheap.
    const own = await RecordingSink.listen()
    const target = await InProcess.start(routeTo(own.port))
    for (const one of cases) {
      // The sink never says 100, so that each costs a second.
      if (one.name === '100-continue') continue
      // On a listener these bytes are no request of HTTP/1, but the beginning of HTTP/2.
      if (one.name === 'the preface of HTTP/2') continue
      for (const cut of new Set([0, 1 + (one.name.length % 17), one.bytes.length - 1]))
        await play(one, cut, target, own)
    }
    await target.serves()
    await target.stop()
    await own.close()
  })
}

async function play(
  { name, bytes, want }: RequestCase,
  cut: number,
  proxy: InProcess,
  sink: RecordingSink,
): Promise<void> {
  const place = `${name}, cut at ${cut}`
  const seen = sink.requestsSeen().length
  const client = await proxy.connect()
  await client.sendCut(bytes, cut)
  if (want.length === 1) {
    const complete = Number(want)
    // An answer for each, unless one says that the connection closes.
    for (let i = 0; i < complete; i++) {
      const response = await client.readResponse({ method: bytes.startsWith('HEAD') ? 'HEAD' : 'GET' })
      if (response.headers['connection'] === 'close') break
    }
    client.half()
    await client.readToEnd()
    assert.ok(sink.requestsSeen().length - seen <= complete, place)
  } else {
    let response = await client.readResponse()
    while (response.status === 200) response = await client.readResponse()
    assert.equal(String(response.status), want, place)
    assert.equal(response.headers['connection'], 'close', place)
    reasonOf(response)
    assert.equal(await client.readToEnd(), '', `${place}: nothing follows the refusal`)
    assert.ok(sink.requestsSeen().length - seen <= 1, place)
  }
  client.destroy()
  assert.ok(!sink.requestsSeen().some(request => request.target.includes('smuggled')), place)
}

test('row 2: 150 and 2,500 fields, the length last, on a connection whose upstream connection is reused', async () => {
  for (const count of [150, 2500]) {
    const client = await proxy.connect()
    const first = await client.ask('GET /first HTTP/1.1\r\nhost: a.example\r\n\r\n')
    assert.equal(first.status, 200)
    const seen = sink.requestsSeen().length
    const fields = Array.from({ length: count }, (_, i) => `x-${i}: 1\r\n`).join('')
    client.send(`POST /b HTTP/1.1\r\nhost: a.example\r\n${fields}content-length: 34\r\n\r\n`)
    client.send('GET /smuggled HTTP/1.1\r\nhost: b\r\n\r\n')
    const response = await client.readResponse()
    assert.equal(response.status, 431)
    assert.equal(reasonOf(response), 'headers_too_large')
    assert.equal(await client.readToEnd(), '')
    client.destroy()
    assert.equal(sink.requestsSeen().length, seen)
  }
  await proxy.serves()
})

test('row 3: a byte that can never become right is refused at once, and not when the clock runs out', async () => {
  const heads = [
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'GET / HTTP/1.1\n',
    'GET / HTTP/1.1\r\nhost: a\n',
    'GET / HTTP/1.1\r\nhost: a\r\nx : 1\r\n',
    'GET / HTTP/1.1\r\nhost: a\r\n folded',
    'GET / HTTP/1.1\r\nhost: a\r\nx: \0',
    'GET /\x80',
    'GET  ',
    ' GET',
    '(',
  ]
  for (const head of heads) {
    const client = await proxy.connect()
    const response = await client.ask(head, { timeout: 1000 })
    assert.equal(response.status, 400, JSON.stringify(head))
    await client.readToEnd()
    client.destroy()
  }
  await proxy.serves()
})

test('row 4: exactly one Host', async () => {
  const seen = sink.requestsSeen().length
  for (const [head, status] of [
    ['GET / HTTP/1.1\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost:\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: a, b\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: a b\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: u@a\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nhost: a:99999\r\n\r\n', 400],
    ['GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n', 400],
    ['GET /\r\n\r\n', 400],
    ['GET / HTTP/0.9\r\nhost: a\r\n\r\n', 400],
    ['GET / HTTP/1.2\r\nhost: a\r\n\r\n', 505],
    ['GET / HTTP/2.0\r\nhost: a\r\n\r\n', 505],
  ] as const) {
    const response = await proxy.ask(head)
    assert.equal(response.status, status, JSON.stringify(head))
    reasonOf(response)
  }
  assert.equal(sink.requestsSeen().length, seen)
  await proxy.serves()
})

test('row 18: names of Object.prototype are field names like others', async () => {
  const fields = '__proto__: {"a":1}\r\nconstructor: 1\r\ntoString: 2\r\nhasOwnProperty: 3\r\n'
  // Outbound passes underscores; inbound takes the field away, since many applications read it as a hyphen.
  const client = await proxy.connect()
  const response = await client.ask(
    `GET /proto?__proto__=1&constructor[prototype]=2 HTTP/1.1\r\nhost: a\r\n${fields}cookie: __proto__=1\r\n\r\n`,
  )
  assert.equal(response.status, 200)
  client.destroy()
  const request = sink.requestsSeen().at(-1)
  const names = request?.raw.map(([name]) => name.toLowerCase()) ?? []
  assert.ok(names.includes('constructor') && names.includes('tostring') && names.includes('hasownproperty'))
  assert.ok(!names.includes('__proto__'))
  const chunked = await proxy.ask(
    'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n__proto__: 1\r\nconstructor: 1\r\n\r\n',
  )
  assert.equal(chunked.status, 200)
  sink.reply(`HTTP/1.1 200 OK\r\n${fields}content-length: 0\r\n\r\n`)
  const back = await proxy.ask('GET /back HTTP/1.1\r\nhost: a\r\n\r\n')
  assert.equal(back.headers['constructor'], '1')
  await proxy.serves()
})
