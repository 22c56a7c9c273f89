import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { freePort } from '../harness/free-port.ts'
import { Http2Upstream } from '../harness/http2-upstream.ts'
import { InProcess, type InProcessOptions } from '../harness/in-process.ts'
import { CODE, TYPE } from '../harness/raw-h2.ts'
import { RawH2Server, type RawH2Script } from '../harness/raw-h2-server.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

// The sessions to a service of HTTP/2: how many there are, and how they end without a request being lost.

const MAX_CONCURRENT = 3

async function behind(
  t: TestContext,
  port: number,
  more: { readonly route?: string; readonly upstream?: string } = {},
  options: InProcessOptions = {},
): Promise<InProcess> {
  const upstream = `protocol: http2\nhealthCheck: off\noutlierDetection: off\n${more.upstream ?? ''}`
  const proxy = await InProcess.start(routeTo(port, { ...more, upstream }), options)
  t.after(() => proxy.stop())
  return proxy
}

async function scripted(t: TestContext, script: RawH2Script): Promise<RawH2Server> {
  const server = await RawH2Server.listen(script)
  t.after(() => server.close())
  return server
}

function ask(proxy: InProcess, path = '/', method = 'GET', body = ''): ReturnType<InProcess['ask']> {
  const length = body === '' ? '' : `content-length: ${body.length}\r\n`
  return proxy.ask(`${method} ${path} HTTP/1.1\r\nhost: a.example\r\n${length}\r\n${body}`)
}

/** Asks so many at one time. @returns their statuses */
async function many(proxy: InProcess, count: number): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: count }, (_, i) => ask(proxy, `/${i}`)))
  return answers.map(one => one.status)
}

describe('how many', () => {
  test('another is opened where the streams of those that stand are taken, and no more than that', async t => {
    const waiting: (() => void)[] = []
    const server = await scripted(t, {
      settings: [MAX_CONCURRENT, 2],
      onRequest: (peer, stream) => waiting.push(() => peer.answer(stream)),
    })
    const proxy = await behind(t, server.port)
    const answers = many(proxy, 5)
    await proxy.until('five streams', () => waiting.length === 5)
    assert.equal(server.peers.length, 3)
    for (const answer of waiting.splice(0)) answer()
    assert.deepEqual(await answers, [200, 200, 200, 200, 200])
    const again = many(proxy, 6)
    await proxy.until('six streams', () => waiting.length === 6)
    assert.equal(server.peers.length, 3)
    for (const answer of waiting.splice(0)) answer()
    await again
  })

  test('`limits.connections` bounds them: who finds no stream waits for one, as long as for a connection', async t => {
    const waiting: (() => void)[] = []
    const server = await scripted(t, {
      settings: [MAX_CONCURRENT, 2],
      onRequest: (peer, stream) => waiting.push(() => peer.answer(stream)),
    })
    const clock = new SteppedClock()
    const proxy = await behind(
      t,
      server.port,
      { route: 'retry: off', upstream: 'limits: { connections: 1 }\nconnection: { connect: 1s }' },
      { clock },
    )
    const answers = Array.from({ length: 5 }, (_, i) => ask(proxy, `/${i}`))
    await proxy.until('two streams', () => waiting.length === 2)
    waiting.shift()?.()
    await proxy.until('the next', () => waiting.length === 2)
    await proxy.step(1200)
    for (const answer of waiting.splice(0)) answer()
    const statuses = (await Promise.all(answers)).map(one => one.status)
    assert.deepEqual(
      statuses.toSorted((a, b) => a - b),
      [200, 200, 200, 503, 503],
    )
    assert.equal(server.peers.length, 1)
    const line = await proxy.accessLine(one => one.status === 503)
    assert.deepEqual([line.reason, line['cause']], ['upstream_overloaded', 'no stream was free in time'])
  })

  test('one that has no stream for a while is closed; one that is an hour old is replaced', async t => {
    const server = await scripted(t, { onRequest: (peer, stream) => peer.answer(stream) })
    const clock = new SteppedClock()
    const proxy = await behind(t, server.port, { upstream: 'connection: { keepAlive: 1m }' }, { clock })
    await ask(proxy)
    await proxy.step(50_000, 1000)
    assert.equal(server.open.length, 1)
    await proxy.step(15_000, 1000)
    await proxy.until('its end', () => server.open.length === 0)
    for (let minutes = 0; minutes < 68; minutes += 0.75) {
      assert.equal((await ask(proxy)).status, 200)
      await proxy.step(45_000, 1000)
    }
    assert.equal(server.peers.length, 3)
  })
})

describe('GOAWAY and REFUSED_STREAM', () => {
  test('a stream that a GOAWAY leaves out goes to another session, whatever its method, without a retry', async t => {
    let first = true
    const seen: string[] = []
    const server = await scripted(t, {
      onRequest: (peer, stream, headers, ended) => {
        if (first) {
          first = false
          peer.goaway(0)
          peer.socket.end()
          return
        }
        seen.push(headers[1] ?? '')
        if (ended) peer.answer(stream)
      },
      onFrame: (peer, { type, flags, stream }) => {
        if (type === TYPE.data && (flags & 1) === 1 && server.peers.indexOf(peer) > 0) peer.answer(stream)
      },
    })
    const proxy = await behind(t, server.port, { route: 'retry: off' })
    assert.equal((await ask(proxy, '/', 'POST', 'hello')).status, 200)
    assert.deepEqual(seen, ['POST'])
    assert.equal(server.peers.at(-1)?.received, 5)
    const line = await proxy.accessLine(one => one.status === 200)
    assert.equal(line['attempts'], 2)
  })

  test('streams below its last one are answered, and the session closes behind them', async t => {
    const server = await scripted(t, {
      onRequest: (peer, stream) => {
        if (stream > 1) return
        peer.goaway(1)
        setImmediate(() => peer.answer(stream))
      },
    })
    const proxy = await behind(t, server.port)
    assert.equal((await ask(proxy)).status, 200)
    await proxy.until('its end', () => server.open.length === 0)
  })

  test('a service that refuses everything is asked twice without a retry, and not more', async t => {
    let asked = 0
    const server = await scripted(t, {
      onRequest: (peer, stream) => {
        asked++
        peer.reset(stream, CODE.refused)
      },
    })
    const proxy = await behind(t, server.port, { route: 'retry: off' })
    assert.equal((await ask(proxy, '/', 'POST', 'x')).status, 502)
    assert.equal(asked, 2)
    const line = await proxy.accessLine(one => one.status === 502)
    assert.deepEqual([line.reason, line['cause']], ['upstream_reset', 'RST_STREAM REFUSED_STREAM'])
  })

  test('one that says GOAWAY to each session is asked twice without a retry, and not more', async t => {
    const server = await scripted(t, {
      onRequest: peer => {
        peer.goaway(0)
        peer.socket.end()
      },
    })
    const proxy = await behind(t, server.port, { route: 'retry: off' })
    assert.deepEqual(
      await many(proxy, 10),
      Array.from({ length: 10 }, () => 502),
    )
    assert.ok(server.peers.length <= 20, `${server.peers.length} sessions`)
    assert.ok(server.peers.length >= 2)
  })

  test('a session that dies unseen is the reuse race: GET is repeated on a new one, POST is not', async t => {
    let dies = false
    const server = await scripted(t, {
      onRequest: (peer, stream) => {
        if (dies) peer.socket.destroy()
        else peer.answer(stream)
        dies = false
      },
    })
    const proxy = await behind(t, server.port, { route: 'retry: off' })
    for (const [method, status] of [
      ['GET', 200],
      ['POST', 502],
    ] as const) {
      await many(proxy, 3)
      dies = true
      assert.equal((await ask(proxy, '/', method, method === 'GET' ? '' : 'x')).status, status)
    }
  })
})

describe('one that is dead', () => {
  test('is asked by PING where a request meets silence, and given up where no answer comes', async t => {
    let deaf = false
    const server = await scripted(t, {
      mute: true,
      onRequest: (peer, stream) => deaf || peer.answer(stream),
    })
    const clock = new SteppedClock()
    const proxy = await behind(t, server.port, { route: 'retry: off\ntimeout: 60s' }, { clock })
    await ask(proxy)
    const pings = (): number => server.peers[0]?.frames.filter(one => one.type === TYPE.ping).length ?? 0
    await proxy.step(60_000, 1000)
    // Nobody asked for anything.
    assert.equal(pings(), 0)
    deaf = true
    const answer = ask(proxy)
    await proxy.until(
      'the request',
      () => server.peers[0]?.frames.filter(one => one.type === TYPE.headers).length === 2,
    )
    await proxy.step(2000)
    await proxy.until('PING', () => pings() === 1)
    await proxy.step(5500)
    assert.equal((await answer).status, 502)
    const line = await proxy.accessLine(one => one.status === 502)
    assert.equal(line['cause'], 'no answer to PING')
  })

  test('a session that answers lives, however long its stream is silent', async t => {
    const server = await scripted(t, {})
    const clock = new SteppedClock()
    const proxy = await behind(t, server.port, { route: 'timeout: { total: off, idle: off }' }, { clock })
    const client = await proxy.connect()
    client.send('GET / HTTP/1.1\r\nhost: a.example\r\n\r\n')
    await proxy.until(
      'the request',
      () => server.peers[0]?.frames.some(one => one.type === TYPE.headers) === true,
    )
    await proxy.step(1_000_000, 1000)
    assert.equal(server.open.length, 1)
    const pings = server.peers[0]?.frames.filter(one => one.type === TYPE.ping).length ?? 0
    assert.ok(pings >= 2 && pings <= 5, `${pings} PINGs`)
    client.destroy()
  })
})

describe('what never stands', () => {
  test('a service that speaks HTTP/1, one that says nothing, and none at all', async t => {
    const old = net.createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () =>
        socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
      )
    })
    old.listen(0, '127.0.0.1')
    await once(old, 'listening')
    t.after(() => old.close())
    const { port } = old.address() as AddressInfo // it listens on TCP
    const first = await behind(t, port, { route: 'retry: off' })
    assert.equal((await ask(first, '/', 'POST', 'x')).status, 502)
    const line = await first.accessLine(one => one.status === 502)
    assert.equal(line.reason, 'upstream_bad_response')
    assert.match(String(line['cause']), /^no HTTP\/2/)

    const silent = await scripted(t, { settings: null, mute: true })
    const clock = new SteppedClock()
    const second = await behind(t, silent.port, { route: 'retry: off' }, { clock })
    const answers = many(second, 3)
    await second.until('a session', () => silent.peers.length === 1)
    await second.step(1200)
    assert.deepEqual(await answers, [504, 504, 504])
    assert.equal(silent.peers.length, 1)

    const third = await behind(t, await freePort(), { route: 'retry: off' })
    assert.deepEqual(await many(third, 3), [502, 502, 502])
  })
})

test('a reload that changes nothing of it keeps its session; another protocol is another endpoint', async t => {
  const upstream = await Http2Upstream.listen()
  t.after(() => upstream.close())
  const proxy = await behind(t, upstream.port)
  assert.equal((await ask(proxy)).status, 200)
  await proxy.apply(
    routeTo(upstream.port, {
      upstream: 'protocol: http2\nhealthCheck: off\noutlierDetection: off\nconnection: { keepAlive: 2m }',
    }),
  )
  assert.equal((await ask(proxy)).status, 200)
  assert.equal(upstream.opened, 1)
  await proxy.apply(routeTo(upstream.port, {}))
  await proxy.until('its end', () => upstream.sessions.size === 0)
})
