import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Channel } from './channel.ts'
import { close, connected, eachWithServer, faults, Listener, until } from './channel-fixture.ts'

eachWithServer()

/** What is written to the socket, a write at a time. */
function watchWrites(channel: Channel): string[] {
  const writes: string[] = []
  const { socket } = channel
  const write = socket.write.bind(socket) as (chunk: unknown, encoding?: unknown) => boolean
  socket.write = (chunk: unknown, encoding?: unknown) => {
    writes.push(typeof chunk === 'string' ? chunk : (chunk as Buffer).toString('latin1'))
    return write(chunk, encoding)
  }
  return writes
}

test('what is written in one turn is one write at its end, and counts as waiting until then', async () => {
  const { channel, peer } = await connected(new Listener())
  let received = ''
  peer.setEncoding('latin1').on('data', (text: string) => (received += text))
  const writes = watchWrites(channel)
  channel.write('a')
  channel.write('b')
  assert.equal(channel.backlog, 2)
  await Promise.resolve()
  channel.write('c')
  assert.deepEqual(writes, [])
  await until(() => received === 'abc')
  assert.deepEqual(writes, ['abc'])
  assert.equal(channel.backlog, 0)
  await close(channel, peer)
})

test('bytes, an end, a cork taken off and a close come behind what was written before them', async () => {
  for (const last of ['bytes', 'end', 'uncork', 'destroy'] as const) {
    const { channel, peer } = await connected(new Listener())
    let received = ''
    peer.setEncoding('latin1').on('data', (text: string) => (received += text))
    peer.on('end', () => (received += '|'))
    channel.cork()
    channel.write('text ')
    channel.uncork()
    channel.write('more ')
    if (last === 'bytes') channel.writeBytes(Buffer.from('bytes '), false)
    else channel[last]()
    if (last === 'bytes') channel.write('text')
    await until(() => received.startsWith('text more ') && received.length >= (last === 'uncork' ? 10 : 11))
    if (last === 'bytes') await until(() => received === 'text more bytes text')
    else assert.equal(received, last === 'uncork' ? 'text more ' : 'text more |')
    await close(channel, peer)
  }
})

test('much text does not wait for the end of the turn, and passes the mark as bytes do', async () => {
  const { channel, peer } = await connected(new Listener())
  const writes = watchWrites(channel)
  peer.pause()
  assert.equal(channel.write('x'.repeat(16_383)), true)
  assert.deepEqual(writes, [])
  channel.write('x')
  assert.deepEqual(writes, ['x'.repeat(16_384)])
  let count = 0
  while (channel.write('x'.repeat(10_000)) && count < 10_000) count++
  assert.ok(count < 10_000 && channel.backlog > 65_536)
  await close(channel, peer)
})

test('what was gathered for a socket that is gone is dropped', async () => {
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  channel.start()
  peer.resetAndDestroy()
  await until(() => channel.closed)
  channel.write('late')
  await new Promise(setImmediate)
  assert.deepEqual(owner.closes, ['ECONNRESET'])
  assert.deepEqual(faults, [])
})

test('an end that a reset follows at once is a close', async () => {
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  channel.write('last words')
  channel.end()
  channel.reset()
  await until(() => channel.closed)
  peer.destroy()
})

test('text that passes the mark goes to the socket at once, which then tells when it has gone', async () => {
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  peer.pause()
  // Full is the kernel, and the socket nearly.
  while (channel.socket.writableLength < 51_000) {
    const room = channel.socket.writableLength === 0 ? 1_000_000 : 1000
    channel.writeBytes(Buffer.alloc(Math.min(room, 10_000)), false)
    await new Promise(setImmediate)
  }
  assert.ok(channel.backlog <= 65_536, String(channel.backlog))
  const writes = watchWrites(channel)
  const more = channel.write('x'.repeat(16_000))
  assert.equal(more, false)
  assert.equal(writes.length, 1)
  peer.resume()
  await until(() => owner.drains > 0 && channel.backlog === 0)
  await close(channel, peer)
})
