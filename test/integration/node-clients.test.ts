import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { runChild } from '../harness/child.ts'
import { HttpUpstream, mirror, seenBy, type Seen } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'

const BIG = 8 * 1024 * 1024

let upstream: HttpUpstream
let outrigger: Outrigger
before(async () => {
  upstream = await HttpUpstream.listen((request, response) => {
    if (request.url === '/digest') {
      const hash = createHash('sha256')
      request.on('data', (part: Buffer) => hash.update(part))
      request.on('end', () => response.end(hash.digest('hex')))
    } else if (request.url === '/hints') {
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      response.end('done')
    } else if (request.url === '/trailers') {
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('body')
      response.addTrailers({ 'x-sum': '42' })
      response.end()
    } else mirror(request, response)
  })
  outrigger = await Outrigger.start(`version: 1
service: clients
admin: { address: "127.0.0.1:0" }
upstreams:
  app: { url: "http://127.0.0.1:${upstream.port}" }
  users: { endpoints: "127.0.0.1:${upstream.port}" }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", upstream: app }
  - { name: out, role: outbound, address: "127.0.0.1:0", upstreams: users }
`)
})
after(async () => {
  await outrigger.stop('SIGKILL')
  await upstream.close()
})

const url = (target: string): string => `http://127.0.0.1:${outrigger.port('in')}${target}`

test('fetch: many at once, a big body up and down, a stream without a length', async () => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const response = await fetch(url(`/many/${i}`), { method: i % 2 === 0 ? 'GET' : 'POST', ...bodyOf(i) })
      return seenBy(await response.text())
    }),
  )
  answers.forEach(({ target, body }, i) => {
    assert.equal(target, `/many/${i}`)
    assert.equal(body, i % 2 === 0 ? '' : `body ${i}`)
  })

  const bytes = randomBytes(BIG)
  const sum = createHash('sha256').update(bytes).digest('hex')
  const sent = await fetch(url('/digest'), { method: 'PUT', body: bytes })
  assert.equal(await sent.text(), sum)

  const parts = ReadableStream.from([bytes.subarray(0, 100_000), bytes.subarray(100_000)])
  // The Fetch standard asks for `duplex` with a stream; its types do not know it yet.
  const init = { method: 'POST', body: parts, duplex: 'half' } as RequestInit
  assert.equal(await (await fetch(url('/digest'), init)).text(), sum)
})

test('fetch: an abort in the middle leaves the next request alone', async () => {
  const controller = new AbortController()
  const endless = new ReadableStream({
    async pull(stream) {
      await nextTurn()
      // fetch reads on behind its abort.
      if (controller.signal.aborted) stream.close()
      else stream.enqueue(Buffer.alloc(1024))
    },
  })
  const init = { method: 'POST', body: endless, duplex: 'half', signal: controller.signal } as RequestInit
  const request = fetch(url('/digest'), init)
  await once(upstream.server, 'request')
  controller.abort()
  await assert.rejects(request, { name: 'AbortError' })
  assert.equal((await fetch(url('/after'))).status, 200)
})

test('http.Agent: one connection for many requests, 103, 100 and trailers', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const sockets = new Set<unknown>()
  for (let i = 0; i < 50; i++) {
    const { response, body } = await ask(agent, `/again/${i}`, 'POST', `body ${i}`)
    sockets.add(response.socket)
    assert.equal(seenBy(body).body, `body ${i}`)
  }
  assert.equal(sockets.size, 1)

  const hinted = http.get(url('/hints'), { agent })
  // Both may come in one read. The events hold the head of an informational response, and the response.
  const [[information], [last]] = (await Promise.all([
    once(hinted, 'information'),
    once(hinted, 'response'),
  ])) as [[http.InformationEvent], [http.IncomingMessage]]
  assert.equal(information.statusCode, 103)
  assert.equal(information.headers['link'], '</style.css>; rel=preload; as=style')
  assert.equal(await text(last), 'done')

  const { response } = await ask(agent, '/trailers', 'GET', '')
  assert.deepEqual({ ...response.trailers }, { 'x-sum': '42' })

  const expecting = http.request(url('/up'), { agent, method: 'PUT', headers: { expect: '100-continue' } })
  expecting.flushHeaders()
  await once(expecting, 'continue')
  expecting.end('waited')
  const [answer] = (await once(expecting, 'response')) as [http.IncomingMessage]
  assert.equal(seenBy(await text(answer)).body, 'waited')
  agent.destroy()
})

test('NODE_USE_ENV_PROXY: fetch and node:http go out through HTTP_PROXY', async () => {
  const script = `
    import http from 'node:http'
    import { text } from 'node:stream/consumers'
    const first = await (await fetch('http://users/fetch')).json()
    const second = await (await fetch('http://users/post', { method: 'POST', body: 'x'.repeat(100000) })).json()
    const third = await new Promise(resolve => http.get('http://users/http', resolve))
    const refused = await fetch('http://nosuch/').then(response => response.status, error => error.cause?.message)
    console.log(JSON.stringify([first, second, JSON.parse(await text(third)), refused]))
    process.exit()`
  const env = { HTTP_PROXY: `http://127.0.0.1:${outrigger.port('out')}`, NODE_USE_ENV_PROXY: '1' }
  const end = await runChild(process.execPath, ['--input-type=module', '-e', script], env, 10_000)
  assert.equal(end.code, 0, end.output)
  // The script above wrote it.
  const [first, second, third, refused] = JSON.parse(end.output) as [Seen, Seen, Seen, unknown]
  assert.equal(first.target, '/fetch')
  assert.equal(first.headers['host'], 'users')
  assert.equal(second.body.length, 100_000)
  assert.equal(third.target, '/http')
  assert.match(String(refused), /502/)
})

function bodyOf(i: number): { body?: string } {
  return i % 2 === 0 ? {} : { body: `body ${i}` }
}

async function ask(
  agent: http.Agent,
  target: string,
  method: string,
  body: string,
): Promise<{ response: http.IncomingMessage; body: string }> {
  const request = http.request(url(target), { agent, method })
  request.end(body)
  // A `response` event holds the response.
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return { response, body: await text(response) }
}
