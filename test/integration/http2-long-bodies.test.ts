// Bodies that take longer than a header block may: whenever their session is looked at, a frame is under way.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { frameBytes, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'
import { type RawH2Peer, RawH2Server } from '../harness/raw-h2-server.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const END_STREAM = 1
const FRAME = 16_000
const FRAMES = 30
/** Where each second ends: in the middle of a frame. */
const PIECE = 15_000

/** A body of frames, in pieces that end in the middle of one. */
function pieces(stream: number): Buffer[] {
  const frames = Array.from({ length: FRAMES }, (_, i) =>
    frameBytes(TYPE.data, i === FRAMES - 1 ? END_STREAM : 0, stream, Buffer.alloc(FRAME, 'b')),
  )
  const whole = Buffer.concat(frames)
  return Array.from({ length: Math.ceil(whole.length / PIECE) }, (_, i) =>
    whole.subarray(i * PIECE, (i + 1) * PIECE),
  )
}

/** A proxy with a service that takes whole bodies, and answers GET with a head alone. */
async function between(): Promise<{
  proxy: InProcess
  server: RawH2Server
  asked: () => [RawH2Peer, number] | null
}> {
  let asked: [RawH2Peer, number] | null = null
  const server = await RawH2Server.listen({
    onRequest: (peer, stream) => {
      asked = [peer, stream]
    },
    onFrame: (peer, { type, flags, stream, payload }) => {
      if (type !== TYPE.data) return
      if (payload.length > 0) peer.window(0, payload.length)
      if ((flags & END_STREAM) !== 0) peer.answer(stream)
      else if (payload.length > 0) peer.window(stream, payload.length)
    },
  })
  const proxy = await InProcess.start(
    routeTo(server.port, {
      route: 'requestSize: off\ntimeout: { total: off }',
      upstream: 'protocol: http2\nhealthCheck: off',
    }),
    { clock: new SteppedClock() },
  )
  return { proxy, server, asked: () => asked }
}

test('an upload of half a minute', async () => {
  const { proxy, server } = await between()
  const client = await RawH2.connect(proxy.port(), { mute: true })
  await client.roundTrip()
  const id = client.request(pseudo('POST', '/'), false)
  let sent = 0
  for (const piece of pieces(id)) {
    client.send(piece)
    sent += piece.length
    const least = sent - 2 * FRAME
    await proxy.until('the bytes', () => client.goaway !== null || (server.peers[0]?.received ?? 0) >= least)
    await proxy.step(1000)
  }
  assert.equal((await client.over(id)).status, 200, String(client.goaway?.why))
  client.destroy()
  await proxy.stop()
  await server.close()
})

test('a download of half a minute', async () => {
  const { proxy, server, asked } = await between()
  const client = await RawH2.connect(proxy.port())
  const id = client.get('/')
  const [peer, stream] = await proxy.until('the request', asked)
  peer.head(stream, [':status', '200'])
  let sent = 0
  for (const piece of pieces(stream)) {
    peer.send(piece)
    sent += piece.length
    const least = sent - 2 * FRAME
    await proxy.until(
      'the bytes',
      () => client.answer(id).reset >= 0 || client.answer(id).body.length >= least,
    )
    await proxy.step(1000)
  }
  const { body, ended } = await client.over(id)
  assert.deepEqual([body.length, ended], [FRAMES * FRAME, true])
  client.destroy()
  await proxy.stop()
  await server.close()
})
