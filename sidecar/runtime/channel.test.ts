import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Channel } from './channel.ts'
import { buffers, close, connected, eachWithServer, faults, Listener, until } from './channel-fixture.ts'
import { connectChannel } from './connect-channel.ts'

eachWithServer()

test('tells of bytes, of the end, and of the close once', async () => {
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  peer.end('hello')
  await until(() => owner.ends === 1)
  assert.equal(owner.text, 'hello')
  assert.deepEqual(owner.closes, [])
  channel.write('and back')
  channel.end()
  const [got] = (await once(peer, 'data')) as [Buffer]
  assert.equal(got.toString(), 'and back')
  await until(() => owner.closes.length > 0)
  assert.deepEqual(owner.closes, [''])
  peer.destroy()
})

test('a reset, and a connection that cannot be made, are a close with the code', async () => {
  const owner = new Listener()
  const { peer } = await connected(owner)
  peer.resetAndDestroy()
  await until(() => owner.closes.length > 0)
  assert.deepEqual(owner.closes, ['ECONNRESET'])

  const refused = new Listener()
  const gone = net.createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  gone.close()
  await once(gone, 'close')
  connectChannel({ at: { host: '127.0.0.1', port }, tls: null }, buffers, () =>
    assert.fail('connected'),
  ).owner = refused
  await until(() => refused.closes.length > 0)
  assert.deepEqual(refused.closes, ['ECONNREFUSED'])
})

test('paused, it brings nothing; resumed, everything', async () => {
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  channel.pause()
  peer.write('x'.repeat(100_000))
  await pause(20)
  const before = owner.bytes
  assert.ok(before <= 65_536)
  channel.resume()
  await until(() => owner.bytes === 100_000)
  await close(channel, peer)
})

test('a socket with much to say lets the others have the loop after 256 KiB', async () => {
  let turn = 0
  let most = 0
  let inTurn = 0
  let seen = -1
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  channel.pause()
  for (let i = 0; i < 30; i++) peer.write(Buffer.alloc(65_536, i))
  await pause(30)
  owner.onBytes = (_buffer, length) => {
    owner.bytes += length
    if (seen !== turn) inTurn = 0
    seen = turn
    inTurn += length
    most = Math.max(most, inTurn)
  }
  const count = (): void => {
    turn++
    if (owner.closes.length === 0) setImmediate(count)
  }
  setImmediate(count)
  channel.resume()
  await until(() => owner.bytes === 30 * 65_536)
  assert.ok(most <= 262_144 + 65_536, `${most} bytes in a turn`)
  await close(channel, peer)
})

test('Node is told to stop after 256 KiB, and goes on in the next turn unless it was paused meanwhile', async () => {
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  const bring = (): boolean => channel.onRead(65_536, buffers.shared)
  assert.deepEqual([bring(), bring(), bring(), bring()], [true, true, true, false])
  channel.pause()
  peer.write('x')
  await pause(10)
  assert.equal(owner.bytes, 4 * 65_536)
  channel.resume()
  await until(() => owner.bytes === 4 * 65_536 + 1)
  assert.deepEqual([bring(), bring(), bring(), bring()], [true, true, true, false])
  await close(channel, peer)
})

test('a write that the peer does not take is told, and so is when it did', async () => {
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  peer.pause()
  let wrote = 0
  while (channel.write('x'.repeat(65_536)) && wrote < 1000) wrote++
  assert.ok(wrote < 1000)
  assert.ok(channel.backlog > 65_536)
  assert.equal(owner.drains, 0)
  peer.resume()
  await until(() => owner.drains === 1)
  assert.equal(channel.backlog, 0)
  assert.equal(channel.delivered, (wrote + 1) * 65_536)
  await close(channel, peer)
})

test('a reader that takes a large write slowly is seen to move', async () => {
  const owner = new Listener()
  const { channel, peer } = await connected(owner)
  peer.pause()
  assert.equal(channel.write('x'.repeat(16_000_000)), false)
  await pause(20)
  const seen = new Set([channel.delivered])
  const still = channel.delivered
  await pause(20)
  assert.equal(channel.delivered, still)
  peer.on('data', () => {
    peer.pause()
    setTimeout(() => peer.resume(), 1)
  })
  peer.resume()
  while (owner.drains === 0 && seen.size < 4) {
    await pause(5)
    if (owner.drains === 0) seen.add(channel.delivered)
  }
  assert.ok(seen.size >= 3, `${seen.size} different moments`)
  await close(channel, peer)
})

/** Passes everything on to another channel, as a body does: stops while that one takes no more. */
class Pass extends Listener {
  from: Channel | null = null
  to: Channel | null = null
  mostHeld = 0
  override onBytes(buffer: Buffer, length: number): void {
    this.bytes += length
    const slice = buffer.subarray(0, length)
    const owned = buffer !== buffers.shared
    if (owned) buffers.retain(slice)
    if (this.to?.writeBytes(slice, owned) === false) this.from?.pause()
    this.mostHeld = Math.max(this.mostHeld, buffers.held)
  }
}

test('what streams through arrives unchanged, in a few buffers, and all of them come back', async () => {
  const pass = new Pass()
  const back = new Listener()
  const left = await connected(pass)
  const right = await connected(back)
  pass.from = left.channel
  pass.to = right.channel
  back.onDrain = () => left.channel.resume()
  left.channel.stream()

  const size = 12_000_000
  const sent = Buffer.alloc(size)
  for (let i = 0; i < size; i++) sent[i] = (i * 7 + (i >> 8) * 13) & 0xff
  const parts: Buffer[] = []
  let received = 0
  right.peer.on('data', (bytes: Buffer) => {
    parts.push(bytes)
    received += bytes.length
  })
  // The reader stops now and then, so that writes wait.
  right.peer.pause()
  const breaks = setInterval(() => (right.peer.isPaused() ? right.peer.resume() : right.peer.pause()), 3)
  left.peer.write(sent)
  const end = performance.now() + 10_000
  const done = (): boolean => received >= size
  while (!done() && performance.now() < end) await pause(5)
  clearInterval(breaks)
  assert.ok(Buffer.concat(parts).equals(sent))
  assert.ok(pass.mostHeld >= 1 && pass.mostHeld <= 8, `${pass.mostHeld} buffers`)

  left.channel.settle()
  left.peer.write('x')
  await until(() => pass.bytes === size + 1)
  left.peer.write('y')
  await until(() => pass.bytes === size + 2)
  // Reads go to the shared buffer again, and nothing is held although both connections stay.
  await until(() => buffers.held === 0)
  await close(left.channel, left.peer)
  await close(right.channel, right.peer)
})

test('a connection that is destroyed with writes under way gives its buffers back', async () => {
  for (const how of ['destroy', 'reset', 'peer'] as const) {
    const pass = new Pass()
    const left = await connected(pass)
    const right = await connected(new Listener())
    pass.from = left.channel
    pass.to = right.channel
    left.channel.stream()
    right.peer.pause()
    left.peer.write(Buffer.alloc(20_000_000))
    await until(() => left.channel.paused)
    assert.ok(buffers.held > 0)
    if (how === 'peer') right.peer.resetAndDestroy()
    else right.channel[how]()
    await until(() => right.channel.closed)
    await close(left.channel, left.peer)
    await until(() => buffers.held === 0)
    right.peer.destroy()
  }
})

test('an owner that throws loses its connection, and nobody else does', async () => {
  const bad = new Listener()
  bad.onBytes = () => {
    throw new Error('a bug')
  }
  const good = new Listener()
  const one = await connected(bad)
  const other = await connected(good)
  one.peer.write('x')
  await until(() => bad.closes.length === 1)
  assert.match(String(faults[0]), /a bug/)
  other.peer.write('still here')
  await until(() => good.text === 'still here')
  await close(other.channel, other.peer)
  one.peer.destroy()
})
