import assert from 'node:assert/strict'
import type http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { CODE, pseudo, RawH2 } from '../harness/raw-h2.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

// Connections of clients that speak HTTP/2: how they begin, what bounds them, how they end.

describe('which HTTP a connection speaks', () => {
  let proxy: InProcess
  const clock = new SteppedClock()
  before(async () => {
    proxy = await InProcess.start(routeTo(1), { clock })
  })
  after(() => proxy.stop())

  test('is said by its first bytes, in pieces too', async () => {
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    for (const piece of [1, 5, 23, 24, 30]) {
      const client = await RawH2.connect(proxy.port(), { silent: true })
      for (let at = 0; at < preface.length; at += piece) {
        const last = at + piece >= preface.length
        client.send(preface.slice(at, at + piece) + (last ? '\0\0\0\x04\0\0\0\0\0' : ''))
        await turns(3)
      }
      assert.equal((await client.over(client.get('/here'))).status, 200)
      client.destroy()
    }
  })

  test('a request that begins like the preface is HTTP/1', async () => {
    for (const cut of [1, 2, 3]) {
      const client = await proxy.connect()
      await client.sendCut('PROPFIND / HTTP/1.1\r\nhost: a.example\r\n\r\n', cut)
      assert.equal((await client.readResponse()).status, 501)
      client.destroy()
    }
    const client = await proxy.connect()
    client.send('PRI * HTTP/2.0\r\n\r\nXX')
    assert.equal((await client.readResponse()).status, 505)
    client.destroy()
  })

  test('bytes that begin neither are refused at once', async () => {
    for (const bytes of ['\x16\x03\x01', '\0', ' GET', '\xff']) {
      const client = await proxy.connect()
      client.send(bytes)
      assert.equal((await client.readResponse()).status, 400)
      client.destroy()
    }
  })

  test('a line of another protocol is not answered, but written down', async () => {
    let lines = 0
    for (const bytes of ['INVALID CONNECTION PREFACE\r\n\r\n', 'SSH-2.0-x\r\n', 'EHLO a.example\r\n']) {
      const client = await proxy.connect()
      client.send(bytes)
      assert.equal(await client.readToEnd(), '')
      client.destroy()
      lines++
      await proxy.until(
        'its line',
        () => proxy.access.filter(one => one['cause'] === 'another protocol').length === lines,
      )
    }
    // What names either is HTTP/1, and told what is wrong with it.
    for (const bytes of ['INVALID / HTTP/1.1\r\nhost: a\r\n\r\n', 'GET\r\n\r\n', 'LOCK / HTTP/9\r\n\r\n']) {
      const client = await proxy.connect()
      client.send(bytes)
      assert.ok((await client.readResponse()).status >= 400)
      client.destroy()
    }
  })

  test('who says nothing is closed when the time for a head is over, who says half a word is told', async () => {
    const silent = await proxy.connect()
    const half = await proxy.connect()
    half.send('P')
    await turns(5)
    await proxy.step(10_200)
    assert.equal(await silent.readToEnd(), '')
    assert.equal((await half.readResponse()).status, 408)
    const preface = await RawH2.connect(proxy.port(), { silent: true })
    preface.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    await turns(5)
    await proxy.step(10_200)
    await proxy.step(3000)
    await preface.end()
    silent.destroy()
    half.destroy()
  })

  test('is said behind a PROXY protocol header too', async () => {
    const behind = await InProcess.start(
      routeTo(1, { listener: 'proxyProtocol: on\ntrustedProxies: 127.0.0.1' }),
    )
    const client = await RawH2.connect(behind.port(), { silent: true })
    client.send('PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    client.settings([])
    assert.equal((await client.over(client.get('/here'))).status, 200)
    const line = await behind.accessLine(one => one.status === 200)
    assert.equal(line['client'], '203.0.113.7')
    client.destroy()
    await behind.stop()
  })

  test('Upgrade: h2c is ignored', async () => {
    const response = await proxy.ask(
      'GET /here HTTP/1.1\r\nhost: a.example\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n',
    )
    assert.equal(response.status, 200)
  })
})

describe('clocks and limits of a session', () => {
  async function started(more: string): Promise<{ proxy: InProcess; stop: () => Promise<void> }> {
    const upstream = await HttpUpstream.listen(request => request.resume())
    const proxy = await InProcess.start(routeTo(upstream.port, { listener: more }), {
      clock: new SteppedClock(),
    })
    const stop = async (): Promise<void> => {
      await proxy.stop()
      await upstream.close()
    }
    return { proxy, stop }
  }

  test('a body that pauses or drips is answered by 408', async () => {
    const { proxy, stop } = await started('connection: { bodyIdle: 5s }')
    const client = await RawH2.connect(proxy.port())
    const paused = client.request(pseudo('POST', '/hang'), false)
    client.data(paused, 'x')
    await client.roundTrip()
    await proxy.step(7000)
    assert.equal((await client.over(paused)).status, 408)
    const slow = client.request(pseudo('POST', '/hang'), false)
    for (let second = 0; second < 14 && client.answer(slow).status === 0; second++) {
      client.data(slow, 'x'.repeat(100))
      await client.roundTrip()
      await proxy.step(1000)
    }
    assert.equal((await client.over(slow)).status, 408)
    client.destroy()
    await stop()
  })

  test('after so many requests the session takes no more', async () => {
    const { proxy, stop } = await started('limits: { requestsPerConnection: 3 }')
    const client = await RawH2.connect(proxy.port())
    for (let i = 0; i < 3; i++) assert.equal((await client.over(client.get('/here'))).status, 200)
    await proxy.step(1500)
    await client.until('GOAWAY', () => client.goaway !== null)
    await client.end()
    assert.equal(client.goaway?.code, CODE.none)
    await stop()
  })

  test('more streams than allowed are given back unprocessed', async () => {
    const { proxy, stop } = await started('limits: { http2: { streams: 3 } }')
    const client = await RawH2.connect(proxy.port())
    const ids = Array.from({ length: 5 }, () => client.get('/hang'))
    for (const id of ids.slice(3)) assert.equal((await client.over(id)).reset, CODE.refused)
    assert.equal(client.answer(ids[0] ?? 0).reset, -1)
    client.destroy()
    await stop()
  })

  test('a drain lets what is under way end, and takes what was on its way', async () => {
    const upstream = await HttpUpstream.listen((request, response) => {
      if (request.url === '/slow') held.push(response)
      else response.end('ok')
    })
    const held: http.ServerResponse[] = []
    const proxy = await InProcess.start(routeTo(upstream.port), { clock: new SteppedClock() })
    const client = await RawH2.connect(proxy.port(), { mute: true })
    const idle = await RawH2.connect(proxy.port())
    await idle.roundTrip()
    const slow = client.get('/slow')
    await proxy.until('the request', () => held.length === 1)
    for (const acceptor of proxy.acceptors) {
      acceptor.announce()
      acceptor.close()
      acceptor.drainIdle()
    }
    await client.until('GOAWAY', () => client.goaway !== null)
    assert.equal(client.goaway?.last, 2 ** 31 - 1, 'first of all the notice')
    const late = client.get('/late')
    assert.equal((await client.over(late)).status, 200)
    await proxy.step(1500)
    await client.until('the real GOAWAY', () => client.goaway?.last === late)
    await idle.end()
    assert.equal(idle.goaway?.code, CODE.none)
    held[0]?.end('done')
    assert.equal((await client.over(slow)).body.toString(), 'done')
    await client.end()
    await proxy.stop()
    await upstream.close()
  })
})
