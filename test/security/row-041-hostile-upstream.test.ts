import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, frameBytes, TYPE } from '../harness/raw-h2.ts'
import { RawH2Server, type RawH2Peer, type RawH2Script } from '../harness/raw-h2-server.ts'
import { SlowReader } from '../harness/slow-reader.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { HOSTILE_ANSWERS } from './hostile-answers.ts'

// Row 41: a service behind that speaks HTTP/2 and means ill. Outrigger lives, says why, serves others, keeps no memory.

const HEADER_TABLE_SIZE = 1
const INITIAL_WINDOW = 4

async function behind(
  t: TestContext,
  script: RawH2Script,
  route = 'retry: off',
  clock?: SteppedClock,
): Promise<{ proxy: InProcess; server: RawH2Server }> {
  const server = await RawH2Server.listen(script)
  const config = routeTo(server.port, {
    route,
    upstream: 'protocol: http2\nhealthCheck: off\noutlierDetection: off',
  })
  const proxy = await InProcess.start(config, clock === undefined ? {} : { clock })
  t.after(async () => {
    await proxy.serves()
    // Budget, buffers, timers and connections are back at zero, or this throws.
    await proxy.stop()
    await server.close()
  })
  return { proxy, server }
}

describe('row 41: a hostile service', () => {
  for (const { what, answer, reason, cause, status = 502 } of HOSTILE_ANSWERS)
    test(`${what}: refused with a reason`, async t => {
      const { proxy } = await behind(t, { onRequest: answer })
      const response = await proxy.ask('GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n')
      assert.equal(response.status, status)
      if (status === 200) assert.equal(response.complete, false)
      const line = await proxy.accessLine(one => one.status === status)
      assert.equal(line.reason, reason)
      assert.match(String(line['cause']), cause)
    })

  test('a table of headers, or a first window, beyond all measure is not made use of', async t => {
    const { proxy } = await behind(t, {
      settings: [HEADER_TABLE_SIZE, 0xffff_ffff, INITIAL_WINDOW, 0x7fff_ffff],
      onRequest: (peer, stream) => peer.answer(stream),
    })
    for (let i = 0; i < 3; i++)
      assert.equal(
        (await proxy.ask(`GET /${i} HTTP/1.1\r\nhost: a.example\r\nx-a: ${i}\r\n\r\n`)).status,
        200,
      )
  })

  test('one that gives no window stops the body, holds no more than a little of it, and ends by a clock', async t => {
    const clock = new SteppedClock()
    const { proxy, server } = await behind(
      t,
      { settings: [INITIAL_WINDOW, 0] },
      'retry: off\ntimeout: { idle: 10s }\nrequestSize: off',
      clock,
    )
    const client = await proxy.connect()
    client.send(`POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 10000000\r\n\r\n`)
    const bytes = Buffer.alloc(1_000_000, 'x')
    for (let i = 0; i < 10; i++) client.send(bytes)
    await proxy.until(
      'the request',
      () => server.peers[0]?.frames.some(one => one.type === TYPE.headers) === true,
    )
    await proxy.step(3000)
    assert.ok(proxy.service.budget.used < 500_000, `${proxy.service.budget.used} bytes held`)
    await proxy.step(9000)
    const line = await proxy.accessLine(one => one.status === 504)
    assert.equal(line.reason, 'upstream_idle')
    assert.equal(server.peers[0]?.received, 0)
    client.destroy()
  })

  test('one that sends without regard to the window, to a client that does not read: its stream ends', async t => {
    const { proxy, server } = await behind(t, {
      onRequest: (peer, stream) => {
        peer.head(stream, [':status', '200'])
        const data = frameBytes(TYPE.data, 0, stream, Buffer.alloc(16_384))
        const much = Buffer.concat(Array.from({ length: 64 }, () => data))
        const send = (): void => {
          while (!peer.socket.destroyed && peer.socket.write(much));
        }
        peer.socket.on('drain', send)
        send()
      },
    })
    const reader = await SlowReader.send(proxy.port(), 'GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n', 1, 1000)
    const line = await proxy.accessLine(one => one.status === 200)
    assert.deepEqual([line.reason, line['cause']], ['upstream_bad_response', 'FLOW_CONTROL_ERROR: DATA'])
    reader.destroy()
    server.peers[0]?.socket.destroy()
  })

  test('one whose windows drip does not stop the others on its session', async t => {
    const heads: ((peer: RawH2Peer) => void)[] = []
    const { proxy, server } = await behind(t, {
      settings: [INITIAL_WINDOW, 10],
      onRequest: (peer, stream, _headers, ended) => {
        if (ended) peer.answer(stream)
        else heads.push(() => peer.answer(stream))
      },
    })
    const client = await proxy.connect()
    client.send('POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 500000\r\n\r\n')
    client.send(Buffer.alloc(100_000, 'x'))
    await proxy.until('the request', () => heads.length === 1)
    for (let i = 0; i < 20; i++)
      assert.equal((await proxy.ask('GET /y HTTP/1.1\r\nhost: a.example\r\n\r\n')).status, 200)
    assert.equal(server.peers.length, 1)
    client.destroy()
  })

  test('one that ends every session at once, or resets all, does not make more of what it is asked', async t => {
    let asked = 0
    const { proxy, server } = await behind(
      t,
      {
        onRequest: (peer, stream) => {
          asked++
          if (asked % 2 === 0) peer.socket.destroy()
          else peer.reset(stream, CODE.refused)
        },
      },
      'retry: 1',
    )
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const { status } = await proxy.ask(
          `POST /${i} HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\n\r\nx`,
        )
        return status
      }),
    )
    assert.deepEqual(new Set(statuses), new Set([502]))
    // One repetition for what was refused, and retries within the budget.
    assert.ok(asked <= 250, `${asked} requests for 100`)
    assert.ok(server.peers.length <= 150, `${server.peers.length} sessions for 100 requests`)
  })
})
