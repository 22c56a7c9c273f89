// How a session of HTTP/2 begins, cut at every byte: what is spoken is found out all the same.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { frameBytes, literals, pseudo, TYPE } from '../harness/raw-h2.ts'

const END = 5
const BEGINNING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frameBytes(TYPE.settings, 0, 0, Buffer.alloc(0)),
  frameBytes(TYPE.headers, END, 1, literals(pseudo('GET', '/here'))),
])

let proxy: InProcess
before(async () => {
  proxy = await InProcess.start(routeTo(1))
})
after(() => proxy.stop())

/** Sends these pieces, each read by itself. @returns whether the answer came */
async function answered(pieces: readonly Buffer[]): Promise<boolean> {
  const socket = net.connect(proxy.port(), '127.0.0.1')
  socket.setNoDelay(true)
  await once(socket, 'connect')
  let came = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    came = Buffer.concat([came, bytes])
  })
  for (const piece of pieces) {
    socket.write(piece)
    await turns(3)
  }
  const deadline = performance.now() + 2000
  // The body of `/here`.
  while (!came.includes('here') && performance.now() < deadline && !socket.destroyed) await nextTurn()
  socket.destroy()
  return came.includes('here')
}

test('in two pieces, at each byte', async () => {
  for (let at = 1; at < BEGINNING.length; at++)
    assert.ok(await answered([BEGINNING.subarray(0, at), BEGINNING.subarray(at)]), `cut at ${at}`)
})

test('byte by byte', async () => {
  assert.ok(await answered(Array.from(BEGINNING, byte => Buffer.from([byte]))))
})

test('a byte of the preface that is wrong makes it another protocol, or no session', async () => {
  for (let at = 0; at < 24; at++) {
    const wrong = Buffer.from(BEGINNING)
    wrong[at] = (wrong[at] ?? 0) ^ 1
    const client = await proxy.connect()
    client.send(wrong)
    const text = await client.readToEnd()
    assert.doesNotMatch(text, /^HTTP\/1\.1 200|here$/, `at ${at}`)
    client.destroy()
  }
})
