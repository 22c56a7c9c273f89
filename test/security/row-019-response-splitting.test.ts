import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InProcess } from '../harness/in-process.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'

const CONFIG = (port: number): string => `version: 1
service: test
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    routes:
      - name: here
        match: { path: { exact: /here } }
        respond: { headers: { x-unicode: "caf\\u00e9 \\u010d\\u010a \\u0100" }, body: "\\u010d\\u010a\\u0100" }
      - name: moved
        match: { path: "/moved/{id}" }
        redirect: { to: "https://www.example/new/{id}?from={id}" }
      - name: rewritten
        match: { path: "/rewritten/{id}" }
        rewrite: { path: "/to/{id}/x" }
        headers:
          request: { set: { x-id: "{id}", x-path: "{request.path}" } }
          response: { set: { x-id: "{id}", x-uri: "{request.uri}" } }
        upstream: app
      - name: stripped
        match: { path: /strip }
        rewrite: { stripPrefix: /strip }
        upstream: app
upstreams:
  app: { endpoints: ["127.0.0.1:${port}"] }
`

const INPUTS = [
  '%0d%0ax-evil:1',
  '%0D%0A%0D%0AHTTP/1.1',
  '%0a',
  '%00',
  '%E5%98%8D%E5%98%8Ax-evil:1', // U+560D U+560A: their low bytes are CR LF
  '%C4%8D%C4%8Ax-evil:1', // U+010D U+010A
  '%C4%80', // U+0100
  '%c0%8a', // an overlong LF
  '%25%30%64', // decodes twice to something
  '%2f%2fevil.example',
  'a%20b',
  '%22%3E',
  '..%2f..',
  '%5c%5cevil',
]

test('row 19: nothing a client writes into a template makes a new line, field or host on the wire', async t => {
  const sink = await RecordingSink.listen()
  const proxy = await InProcess.start(CONFIG(sink.port))
  t.after(async () => {
    await sink.close()
    await proxy.stop()
  })
  let answered = 0
  for (const input of INPUTS) {
    for (const path of [
      `/moved/${input}`,
      `/rewritten/${input}`,
      `/strip/${input}`,
      `/rewritten/x?q=${input}`,
    ]) {
      // The strict reader throws where a line is malformed; what is on the wire is one response, and one request.
      const client = await proxy.connect()
      const response = await client.ask(
        `GET ${path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n`,
      )
      assert.equal(await client.readToEnd(), '', path)
      client.destroy()
      const place = `${path}: ${JSON.stringify(response.raw)}`
      assert.equal(response.headers['x-evil'], undefined, place)
      assert.ok([200, 308, 400].includes(response.status), place)
      const location = response.headers['location']
      if (location !== undefined) assert.ok(location.startsWith('https://www.example/new/'), place)
      if (response.status !== 400) answered++
    }
  }
  assert.ok(answered > 10, 'some of them pass, so that something was tested')
  for (const request of sink.requestsSeen()) {
    assert.equal(request.headers['x-evil'], undefined)
    assert.match(request.target, /^\/[\x21-\x7e]*$/)
    assert.ok(!request.target.startsWith('//'))
  }
  assert.deepEqual(sink.unfinished(), [])
})

test('row 19: text of the configuration that is no ASCII is UTF-8 on the wire, counted in bytes', async t => {
  const sink = await RecordingSink.listen()
  const proxy = await InProcess.start(CONFIG(sink.port))
  t.after(async () => {
    await sink.close()
    await proxy.stop()
  })
  const response = await proxy.ask('GET /here HTTP/1.1\r\nhost: a.example\r\n\r\n')
  assert.equal(response.status, 200)
  assert.equal(response.body.toString(), '\u010d\u010a\u0100')
  assert.equal(
    Buffer.from(response.headers['x-unicode'] ?? '', 'latin1').toString(),
    'caf\u00e9 \u010d\u010a \u0100',
  )
})
