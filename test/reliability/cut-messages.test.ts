import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { readRequests } from '../harness/strict-http.ts'

// A message that was cut never looks like a whole one, whichever side cut it, wherever, and however it is framed.

let upstream: RawUpstream
let proxy: InProcess
beforeEach(async () => {
  upstream = await RawUpstream.listen()
  proxy = await InProcess.start(routeTo(upstream.port))
})
afterEach(async () => {
  await upstream.close()
  await proxy.stop()
})

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'

const RESPONSES = {
  length: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789',
  chunked: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n',
}

for (const [framing, response] of Object.entries(RESPONSES)) {
  for (const end of ['fin', 'rst'] as const) {
    test(`a response (${framing}) that the upstream cuts at any byte with ${end} is never shown as whole`, async () => {
      const body = response.indexOf('\r\n\r\n') + 4
      for (let cut = 0; cut < response.length; cut++) {
        const client = await proxy.connect()
        client.send(GET)
        const connection = await upstream.accept()
        await connection.readUntil('\r\n\r\n')
        connection.send(response.slice(0, cut))
        if (end === 'fin') connection.half()
        else {
          // What was sent is on its way before the reset overtakes it.
          await new Promise(sent => connection.socket.write('', sent))
          connection.reset()
        }
        const answer = await client.readResponse()
        if (cut < body) assert.equal(answer.status, 502, `cut at ${cut}`)
        // A reset may overtake the head; then it is a 502 as well.
        else assert.ok(answer.status === 502 || !answer.complete, `cut at ${cut}: ${answer.body.toString()}`)
        connection.destroy()
        client.destroy()
      }
    })
  }
}

test('a response that ends with its connection is whole after a FIN, and never after a reset', async () => {
  for (const version of ['1.0', '1.1']) {
    for (const end of ['fin', 'rst'] as const) {
      const client = await proxy.connect()
      client.send(`GET / HTTP/${version}\r\nhost: a\r\n\r\n`)
      const connection = await upstream.accept()
      await connection.readUntil('\r\n\r\n')
      connection.send('HTTP/1.1 200 OK\r\n\r\nall of it')
      await client.wait('the body', () => (client.unread.includes('all of it') ? true : null))
      if (end === 'fin') connection.half()
      else connection.reset()
      if (end === 'fin') {
        const answer = await client.readResponse()
        assert.equal(answer.body.toString(), 'all of it')
        assert.ok(answer.complete)
      } else if (version === '1.0') {
        // Nothing but the way the connection ends tells an HTTP/1.0 client.
        assert.equal(await client.closed(), 'ECONNRESET')
      } else {
        assert.equal((await client.readResponse()).complete, false)
      }
      client.destroy()
    }
  }
})

const REQUESTS = {
  length: 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n0123456789',
  chunked:
    'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n',
}

for (const [framing, request] of Object.entries(REQUESTS)) {
  for (const end of ['fin', 'rst'] as const) {
    test(`a request (${framing}) that the client cuts at any byte with ${end} never reaches the upstream as whole`, async () => {
      for (let cut = request.indexOf('\r\n\r\n') + 4; cut < request.length; cut++) {
        const client = await proxy.connect()
        client.send(request.slice(0, cut))
        const connection = await upstream.accept()
        await connection.readUntil('\r\n\r\n')
        if (end === 'fin') client.half()
        else client.reset()
        await connection.readToEnd()
        const seen = readRequests(connection.received)
        assert.equal(seen.requests.length, 0, `cut at ${cut}`)
        if (end === 'fin') {
          const answer = await client.readResponse()
          assert.equal(answer.status, 400, `cut at ${cut}`)
          assert.match(answer.body.toString(), /body_aborted/)
        }
        client.destroy()
        connection.destroy()
      }
    })
  }
}

test('a client that closes its side behind its request gets the whole response', async () => {
  const body = Buffer.alloc(8_000_000, 'x')
  for (const connection of ['', 'connection: close\r\n']) {
    for (const when of ['at once', 'while the response waits for it'] as const) {
      const client = await proxy.connect()
      if (when !== 'at once') client.socket.pause()
      client.send(`GET / HTTP/1.1\r\nhost: a\r\n${connection}\r\n`)
      if (when === 'at once') client.half()
      const service = await upstream.accept()
      await service.readUntil('\r\n\r\n')
      await pause(50)
      service.send(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`)
      service.send(body)
      if (when !== 'at once') {
        await pause(100)
        client.half()
        await pause(50)
        client.socket.resume()
      }
      const answer = await client.readResponse()
      assert.ok(answer.complete, `${connection.trim()}, ${when}: ${answer.body.length} bytes`)
      client.destroy()
      service.destroy()
    }
  }
})

test('a response of our own reaches a client that closes its side while it waits', async () => {
  await proxy.apply(routeTo(upstream.port).replace('body: here', `body: ${'x'.repeat(60_000)}`))
  const client = await proxy.connect()
  client.socket.pause()
  const requests = 100
  client.send('GET /here HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(requests - 1))
  client.send('GET /here HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  await pause(100)
  client.socket.resume()
  await client.read(60_000)
  client.socket.pause()
  await pause(50)
  client.half()
  await pause(50)
  client.socket.resume()
  const all = await client.readToEnd()
  assert.ok(all.endsWith('x'.repeat(60_000)))
})

test('a client that closed its side gets no answer that takes longer than a second to begin', async () => {
  const client = await proxy.connect()
  client.send(GET)
  const connection = await upstream.accept()
  await connection.readUntil('\r\n\r\n')
  client.half()
  await connection.readToEnd(3000)
  assert.equal(await client.readToEnd(), '')
  const line = await proxy.accessLine(() => true)
  assert.equal(line.reason, 'client_gone')
})

test('a client that leaves while its answer is awaited takes the request with it, with and without a body', async () => {
  for (const request of [GET, REQUESTS.length, REQUESTS.chunked]) {
    const client = await proxy.connect()
    client.send(request)
    const connection = await upstream.accept()
    await connection.readUntil(request === GET ? '\r\n\r\n' : '9')
    client.reset()
    await connection.readToEnd(1000)
    connection.destroy()
  }
})

test('pipelined requests beyond what is kept are read in their order', async () => {
  const client = await proxy.connect()
  const requests = 5000
  client.send('GET /here HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(requests))
  for (let i = 0; i < requests; i++) assert.equal((await client.readResponse()).status, 200, `request ${i}`)
  client.destroy()
})

test('requests behind one that is answered in the same turn are read in their order', async () => {
  const client = await proxy.connect()
  const connections = (async () => {
    for (;;) {
      const service = await upstream.accept(200).catch(() => null)
      if (service === null) return
      void (async () => {
        for (;;) {
          const head = await service.readUntil('\r\n\r\n')
          const path = head.split(' ')[1] ?? ''
          service.send(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`)
        }
      })().catch(() => {})
    }
  })()
  const requests = 300
  void (async () => {
    // In pieces that end anywhere: some come exactly when an answer does.
    const all = Array.from({ length: requests }, (_, i) => `GET /${i} HTTP/1.1\r\nhost: a\r\n\r\n`).join('')
    for (let at = 0; at < all.length; at += 47) {
      client.send(all.slice(at, at + 47))
      await new Promise(setImmediate)
    }
  })()
  for (let i = 0; i < requests; i++) assert.equal((await client.readResponse()).body.toString(), `/${i}`)
  client.destroy()
  await connections
})
