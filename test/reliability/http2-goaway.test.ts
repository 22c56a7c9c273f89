import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { TYPE } from '../harness/raw-h2.ts'
import { RawH2Server } from '../harness/raw-h2-server.ts'

const CLIENTS = 16
const REQUESTS = 60
/** A session takes so many streams, and says so when the last of them comes: what is on its way is left out. */
const STREAMS = 25

test('sessions that end all the time, under POSTs and reloads: no request is lost, and none is taken twice', async t => {
  const taken: string[] = []
  const bodies = new Map<string, Buffer>()
  const server = await RawH2Server.listen({
    onFrame: (peer, { type, flags, stream, payload }) => {
      const number = server.peers.indexOf(peer)
      const key = `${number} ${stream}`
      if (type === TYPE.headers) {
        if (stream === STREAMS * 2 - 1) peer.goaway(stream)
        bodies.set(key, Buffer.alloc(0))
      }
      if (type !== TYPE.data || stream > STREAMS * 2 - 1) return
      const body = Buffer.concat([bodies.get(key) ?? Buffer.alloc(0), payload])
      bodies.set(key, body)
      if ((flags & 1) === 0) return
      taken.push(body.toString())
      // Not at once, so that streams are open when the next GOAWAY comes.
      setTimeout(() => peer.answer(stream, body.toString()), 2)
    },
  })
  const config = (number: number): string =>
    routeTo(server.port, {
      route: `retry: off\nheaders: { request: { set: { x-number: "${number}" } } }`,
      upstream: 'protocol: http2\nhealthCheck: off\noutlierDetection: off',
    })
  const proxy = await InProcess.start(config(0))
  t.after(async () => {
    await proxy.stop()
    await server.close()
  })
  const done = new AbortController()
  const reloads = (async () => {
    for (let number = 1; !done.signal.aborted; number++) {
      await proxy.apply(config(number))
      await pause(20)
    }
  })()
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const connection = await proxy.connect()
      for (let i = 0; i < REQUESTS; i++) {
        const body = `${client}-${i}`
        const response = await connection.ask(
          `POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        )
        assert.equal(response.status, 200, response.body.toString())
        assert.equal(response.body.toString(), body)
      }
      connection.destroy()
    }),
  )
  done.abort()
  await reloads
  assert.equal(taken.length, CLIENTS * REQUESTS)
  assert.equal(new Set(taken).size, taken.length)
  assert.ok(server.peers.length >= (CLIENTS * REQUESTS) / STREAMS, `${server.peers.length} sessions`)
  const repeated = Number(
    /outrigger_upstream_reuse_races_total\{upstream="app"\} (\d+)/.exec(await proxy.metrics())?.[1],
  )
  assert.ok(repeated > 0, 'no stream was left out: the test shows nothing')
})
