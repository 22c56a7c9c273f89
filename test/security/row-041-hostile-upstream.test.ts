import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, frameBytes, literals, TYPE } from '../harness/raw-h2.ts'
import { RawH2Server, type RawH2Peer, type RawH2Script } from '../harness/raw-h2-server.ts'
import { SlowReader } from '../harness/slow-reader.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

// Row 41: a service behind that speaks HTTP/2 and means ill. Outrigger lives, says why, serves others, keeps no memory.

const END_HEADERS = 4
const END_STREAM = 1
const ORIGIN = 12
const HEADER_TABLE_SIZE = 1
const INITIAL_WINDOW = 4

type Answer = NonNullable<RawH2Script['onRequest']>

interface Hostile {
  readonly what: string
  readonly answer: Answer
  /** What the log says; `any`: one of several, by when it is seen. */
  readonly reason: string
  readonly cause: RegExp
  readonly status?: number
}

const flood =
  (bytes: () => Buffer, count: number): Answer =>
  peer => {
    const frame = bytes()
    const many = Buffer.concat(Array.from({ length: 1000 }, () => frame))
    for (let sent = 0; sent < count; sent += 1000) peer.send(many)
  }

const response =
  (fields: readonly string[], end = true): Answer =>
  (peer, stream) =>
    peer.head(stream, fields, end)

const block =
  (bytes: Buffer, flags = END_HEADERS | END_STREAM): Answer =>
  (peer, stream) =>
    peer.frame(TYPE.headers, flags, stream, bytes)

const BAD = 'upstream_bad_response'

const CASES: readonly Hostile[] = [
  {
    what: 'a push',
    answer: (peer, stream) =>
      peer.frame(
        TYPE.push,
        END_HEADERS,
        stream,
        Buffer.concat([Buffer.from([0, 0, 0, 2]), literals([':method', 'GET', ':path', '/x'])]),
      ),
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
  },
  {
    what: 'a stream of its own',
    answer: peer => peer.head(2, [':status', '200'], true),
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
  },
  {
    what: 'a flood of ORIGIN frames',
    answer: flood(() => frameBytes(ORIGIN, 0, 0, Buffer.alloc(40)), 50_000),
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'a flood of SETTINGS',
    answer: flood(() => frameBytes(TYPE.settings, 0, 0, Buffer.alloc(0)), 50_000),
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'a flood of PING',
    answer: flood(() => frameBytes(TYPE.ping, 0, 0, Buffer.alloc(8)), 50_000),
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'a flood of WINDOW_UPDATE',
    answer: (peer, stream) =>
      flood(() => frameBytes(TYPE.window, 0, stream, Buffer.from([0, 0, 0, 1])), 50_000)(
        peer,
        stream,
        [],
        true,
      ),
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'a window beyond what there is',
    answer: peer => {
      peer.window(0, 0x7fff_ffff)
      peer.window(0, 0x7fff_ffff)
    },
    reason: BAD,
    cause: /FLOW_CONTROL_ERROR/,
  },
  {
    what: 'a reset',
    answer: (peer, stream) => peer.reset(stream, CODE.internal),
    reason: 'upstream_reset',
    cause: /INTERNAL/,
  },
  {
    what: 'a header block that cannot be read',
    answer: block(Buffer.from([0x80])),
    reason: BAD,
    cause: /COMPRESSION_ERROR/,
  },
  {
    what: 'a header that takes a byte on the wire and 2 KiB here, a thousand times',
    answer: block(
      Buffer.concat([
        Buffer.from([0x88, 0x40, 1, 0x61, 0x7f, 0xd1, 0x0e]),
        Buffer.alloc(2000, 'v'),
        Buffer.alloc(1000, 0xbe),
      ]),
    ),
    reason: BAD,
    cause: /larger than allowed|more header fields/,
  },
  {
    what: 'CONTINUATION without an end',
    answer: (peer, stream) => {
      peer.frame(TYPE.headers, END_STREAM, stream, literals([':status', '200']))
      const part = frameBytes(TYPE.continuation, 0, stream, literals(['a', 'b'.repeat(100)]))
      for (let i = 0; i < 5000; i++) peer.send(part)
    },
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'DATA without a head',
    answer: (peer, stream) => peer.data(stream, 'x', true),
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
  },
  {
    what: 'more DATA than it said',
    answer: (peer, stream) => {
      peer.head(stream, [':status', '200', 'content-length', '2'])
      peer.data(stream, 'abc', true)
    },
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
    status: 200,
  },
  {
    what: 'less DATA than it said',
    answer: (peer, stream) => {
      peer.head(stream, [':status', '200', 'content-length', '5'])
      peer.data(stream, 'abc', true)
    },
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
    status: 200,
  },
  {
    what: 'no body where a length was said',
    answer: response([':status', '200', 'content-length', '5']),
    reason: BAD,
    cause: /content-length/,
  },
  {
    what: 'a field with a line break',
    answer: response([':status', '200', 'x', 'a\r\nset-cookie: evil']),
    reason: BAD,
    cause: /control character/,
  },
  {
    what: 'a field of HTTP/1',
    answer: response([':status', '200', 'transfer-encoding', 'chunked']),
    reason: BAD,
    cause: /transfer-encoding/,
  },
  { what: 'no status', answer: response(['server', 'evil']), reason: BAD, cause: /:status/ },
  { what: '101', answer: response([':status', '101']), reason: BAD, cause: /./ },
  {
    what: 'informational heads without end',
    answer: (peer, stream) => {
      for (let i = 0; i < 100; i++) peer.head(stream, [':status', '103', 'link', '</a>'])
    },
    reason: BAD,
    cause: /informational heads/,
  },
  {
    what: 'a frame of 1 MiB',
    answer: (peer, stream) => peer.frame(TYPE.data, 0, stream, Buffer.alloc(1_048_576)),
    reason: BAD,
    cause: /FRAME_SIZE_ERROR/,
  },
  {
    what: 'no HTTP/2 any more',
    answer: peer => peer.send(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')),
    reason: BAD,
    cause: /FRAME_SIZE_ERROR|PROTOCOL_ERROR/,
  },
]

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
  for (const { what, answer, reason, cause, status = 502 } of CASES)
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
    assert.deepEqual([line.reason, line['cause']], [BAD, 'FLOW_CONTROL_ERROR: DATA'])
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
