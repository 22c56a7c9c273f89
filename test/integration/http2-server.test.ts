import assert from 'node:assert/strict'
import { once } from 'node:events'
import type http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream, mirror, seenBy } from '../harness/http-upstream.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { CODE, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'

// The downstream half of HTTP/2 with services of HTTP/1 behind it: what a client sees of one request and its response.

/** A service that does what the path says. */
function service(request: http.IncomingMessage, response: http.ServerResponse): void {
  const url = request.url ?? ''
  if (url === '/echo') {
    response.setHeader('content-type', 'text/plain')
    request.pipe(response)
  } else if (url === '/trailers') {
    response.setHeader('trailer', 'x-sum')
    response.write('body')
    response.addTrailers({ 'x-sum': '4' })
    response.end()
  } else if (url === '/hints') {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    response.end('hinted')
  } else if (url === '/empty') response.writeHead(204).end()
  else if (url === '/early') response.writeHead(401).end('no')
  else if (url === '/cut') {
    response.writeHead(200, { 'content-length': '10' })
    response.write('12345', () => request.socket.destroy())
  } else if (url === '/large')
    response.writeHead(200, { 'content-length': 3_000_000 }).end(Buffer.alloc(3_000_000, 'l'))
  else if (url === '/hang') request.resume()
  else mirror(request, response)
}

describe('a request and its response', () => {
  let upstream: HttpUpstream
  let proxy: InProcess
  before(async () => {
    upstream = await HttpUpstream.listen(service)
    proxy = await InProcess.start(routeTo(upstream.port, { route: 'requestSize: 1MiB' }))
  })
  after(async () => {
    await proxy.stop()
    await upstream.close()
  })

  async function withClient(run: (client: RawH2) => Promise<void>): Promise<void> {
    const client = await RawH2.connect(proxy.port())
    try {
      await run(client)
    } finally {
      client.destroy()
    }
  }

  test('GET arrives as one of HTTP/1.1 and is answered', () =>
    withClient(async client => {
      const answer = await client.over(
        client.get('/a?b=c', 'accept', 'x/y', 'cookie', 'a=1', 'cookie', 'b=2'),
      )
      assert.equal(answer.status, 200)
      const seen = seenBy(answer.body)
      assert.equal(seen.target, '/a?b=c')
      assert.equal(seen.headers['host'], 'a.example')
      assert.equal(seen.headers['cookie'], 'a=1; b=2')
      assert.equal(seen.headers['via'], '2 outrigger')
      assert.equal(answer.headers['content-length'], String(answer.body.length))
      assert.match(answer.headers['date'] ?? '', /GMT$/)
      for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade'])
        assert.equal(answer.headers[name], undefined)
      const line = await proxy.accessLine(one => one['path'] === '/a')
      assert.equal(line['protocol'] ?? line['version'], 'HTTP/2')
    }))

  test('the first SETTINGS say what the listener allows', () =>
    withClient(async client => {
      await client.until('SETTINGS', () => client.frames.some(frame => frame.type === TYPE.settings))
      const { payload } = client.frames[0] ?? { payload: Buffer.alloc(0) }
      const settings: Record<number, number> = {}
      for (let at = 0; at < payload.length; at += 6)
        settings[payload.readUInt16BE(at)] = payload.readUInt32BE(at + 2)
      assert.equal(settings[3], 100, 'streams')
      assert.equal(settings[4], 65_536, 'the window of a stream')
      assert.equal(settings[6], 16_384, 'the header list')
      assert.equal(settings[8], 1, 'extended CONNECT')
    }))

  test('a body goes both ways, known or not how long', () =>
    withClient(async client => {
      for (const more of [['content-length', '10'], []]) {
        const id = client.request([...pseudo('POST', '/echo'), ...more], false)
        client.data(id, '01234')
        client.data(id, '56789', true)
        const answer = await client.over(id)
        assert.equal(answer.status, 200)
        assert.equal(answer.body.toString(), '0123456789')
      }
    }))

  test('a large response comes whole', () =>
    withClient(async client => {
      const answer = await client.over(client.get('/large'))
      assert.equal(answer.body.length, 3_000_000)
    }))

  test('many at once on one connection are answered each', () =>
    withClient(async client => {
      const ids = Array.from({ length: 100 }, (_, i) => client.get(`/n${i}`))
      for (const [i, id] of ids.entries()) assert.equal(seenBy((await client.over(id)).body).target, `/n${i}`)
    }))

  test('trailers pass both ways', () =>
    withClient(async client => {
      const answer = await client.over(client.get('/trailers', 'te', 'trailers'))
      assert.equal(answer.body.toString(), 'body')
      assert.deepEqual(answer.trailers, { 'x-sum': '4' })
      const id = client.request(pseudo('POST', '/echo'), false)
      client.data(id, 'x')
      client.trailers(id, ['x-mine', '1'])
      assert.equal((await client.over(id)).status, 200)
    }))

  test('103 comes before the response', () =>
    withClient(async client => {
      const answer = await client.over(client.get('/hints'))
      assert.deepEqual(answer.informational, [103])
      assert.equal(answer.body.toString(), 'hinted')
    }))

  test('who waits for 100 gets it, and is answered', () =>
    withClient(async client => {
      const id = client.request(
        [...pseudo('POST', '/echo'), 'expect', '100-continue', 'content-length', '2'],
        false,
      )
      await client.until('100', () => client.answer(id).informational.includes(100))
      client.data(id, 'ok', true)
      assert.equal((await client.over(id)).body.toString(), 'ok')
    }))

  test('HEAD, 204 and a body of no length end with their head', () =>
    withClient(async client => {
      const head = await client.over(client.request(pseudo('HEAD', '/large')))
      assert.equal(head.status, 200)
      assert.equal(head.headers['content-length'], '3000000')
      assert.equal(head.body.length, 0)
      const empty = await client.over(client.get('/empty'))
      assert.equal(empty.status, 204)
      assert.equal(empty.headers['content-length'], undefined)
      assert.ok(!client.frames.some(frame => frame.type === TYPE.data))
    }))

  test('a final answer to a request that is not in yet comes whole, then the rest is refused without an error', () =>
    withClient(async client => {
      const id = client.request(pseudo('POST', '/early'), false)
      client.data(id, 'x'.repeat(1000))
      const answer = await client.over(id)
      assert.equal(answer.status, 401)
      assert.equal(answer.body.toString(), 'no')
      await client.until('RST_STREAM', () => answer.reset >= 0)
      assert.equal(answer.reset, CODE.none)
      client.data(id, 'y'.repeat(100), true)
      assert.equal((await client.over(client.get('/here'))).status, 200)
    }))

  test('a body beyond the limit is refused by 413, said or not', () =>
    withClient(async client => {
      const said = client.request([...pseudo('POST', '/echo'), 'content-length', '2000000'], false)
      assert.equal((await client.over(said)).status, 413)
      const id = client.request(pseudo('POST', '/hang'), false)
      let sent = 0
      const credit = (): number =>
        65_535 +
        client.frames
          .filter(frame => frame.type === TYPE.window && frame.stream === id)
          .reduce((sum, frame) => sum + frame.payload.readUInt32BE(0), 0)
      while (client.answer(id).status === 0 && sent < 2_000_000) {
        const room = Math.min(16_384, credit() - sent)
        if (room > 0) client.data(id, Buffer.alloc(room))
        sent += Math.max(0, room)
        await turns(3)
      }
      assert.equal((await client.over(id)).status, 413)
    }))

  test('a target or a list that is too long is answered by 414 and 431', () =>
    withClient(async client => {
      assert.equal((await client.over(client.get(`/${'a'.repeat(8500)}`))).status, 414)
      const fields = Array.from({ length: 120 }, (_, i) => [`x-${i}`, 'y']).flat()
      assert.equal((await client.over(client.get('/', ...fields))).status, 431)
      assert.equal((await client.over(client.get('/here'))).status, 200)
    }))

  test('CONNECT is not for HTTP/2', () =>
    withClient(async client => {
      const id = client.request([':method', 'CONNECT', ':authority', 'a.example:80'])
      assert.equal((await client.over(id)).status, 405)
    }))

  test('a response that breaks is reset, and never looks whole', () =>
    withClient(async client => {
      const answer = await client.over(client.get('/cut'))
      assert.equal(answer.reset, CODE.internal)
      assert.equal(answer.ended, false)
    }))

  test('a client that resets its stream ends the exchange, and the work upstream', () =>
    withClient(async client => {
      const asked = once(upstream.server, 'request')
      const id = client.get('/hang')
      const [request] = (await asked) as [http.IncomingMessage]
      const gone = once(request.socket, 'close')
      client.reset(id)
      await gone
      const line = await proxy.accessLine(one => one['path'] === '/hang' && one.status === 499)
      assert.equal(line.reason, 'client_gone')
      assert.equal((await client.over(client.get('/here'))).status, 200)
    }))

  test('a client that leaves ends all of its exchanges', async () => {
    const client = await RawH2.connect(proxy.port())
    for (let i = 0; i < 10; i++) client.get('/hang')
    await proxy.until('ten requests', () => proxy.service.proxy.active >= 10)
    client.destroy()
    await proxy.until('no request', () => proxy.service.proxy.active === 0)
  })

  test('is one connection in the metrics, whatever it carries', () =>
    withClient(async client => {
      const before = proxy.connections
      await Promise.all([client.get('/a'), client.get('/b')].map(id => client.over(id)))
      assert.equal(proxy.connections, before)
    }))
})
