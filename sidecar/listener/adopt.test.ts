import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { adopt } from './adopt.ts'

/** A connection that was accepted and adopted, with what it reads. */
async function adopted(before: (socket: net.Socket) => void = () => {}) {
  const buffers = new ReadBuffers(new MemoryBudget(1e9))
  const unsupported: string[] = []
  const read: { readonly text: string; readonly shared: boolean; readonly memory: ArrayBufferLike }[] = []
  let ended = false
  let closed = false
  const owner: ChannelOwner = {
    onBytes(buffer, length) {
      const text = buffer.toString('latin1', 0, length)
      read.push({ text, shared: buffer === buffers.shared, memory: buffer.buffer })
    },
    onEnd: () => (ended = true),
    onDrain() {},
    onClose: () => (closed = true),
  }
  const accepted = Promise.withResolvers<Channel>()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket => {
    before(socket)
    const channel = adopt(socket, buffers, () => unsupported.push('once'))
    channel.owner = owner
    accepted.resolve(channel)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const client = net.connect(port, '127.0.0.1')
  await once(client, 'connect')
  const channel = await accepted.promise
  return {
    buffers,
    channel,
    client,
    read,
    unsupported,
    text: () => read.map(one => one.text).join(''),
    ended: () => ended,
    async stop() {
      client.destroy()
      channel.destroy()
      server.close()
      await once(server, 'close')
      await until(() => closed)
      assert.equal(buffers.held, 0)
    },
  }
}

async function until(met: () => boolean): Promise<void> {
  const end = performance.now() + 3000
  while (!met() && performance.now() < end) await new Promise(setImmediate)
  assert.ok(met())
}

test('this Node has the slots: an accepted socket reads into the shared buffer, with nothing in between', async () => {
  const one = await adopted()
  one.client.write('before it was started')
  await new Promise(done => setTimeout(done, 10))
  assert.equal(one.read.length, 0)
  one.channel.start()
  await until(() => one.text() === 'before it was started')
  assert.equal(one.unsupported.length, 0)
  assert.ok(one.read.every(part => part.shared))
  // Where Node read by itself, a stream would have buffered and emitted.
  assert.equal(one.channel.socket.listenerCount('data'), 0)
  one.client.end(' and the end')
  await until(() => one.ended())
  assert.equal(one.text(), 'before it was started and the end')
  await one.stop()
})

test('while a body streams it reads into private memory, a fresh one while the last is given away', async () => {
  const one = await adopted()
  one.channel.start()
  one.client.write('head')
  await until(() => one.text() === 'head')
  one.channel.stream()
  // Node asks for the next buffer after a read: that one still goes where the last went.
  for (const piece of ['1', '2', '3']) {
    const before = one.read.length
    one.client.write(piece)
    await until(() => one.read.length > before)
  }
  const streamed = one.read.slice(2)
  assert.ok(streamed.every(part => !part.shared))
  assert.equal(new Set(streamed.map(part => part.memory)).size, 1)
  assert.equal(one.buffers.held, 1)
  one.channel.settle()
  for (const piece of ['4', '5']) {
    const before = one.read.length
    one.client.write(piece)
    await until(() => one.read.length > before)
  }
  assert.equal(one.read.at(-1)?.shared, true)
  assert.equal(one.text(), 'head12345')
  await one.stop()
})

test('a paused one reads nothing, and goes on where it stopped', async () => {
  const one = await adopted()
  one.channel.start()
  one.client.write('a')
  await until(() => one.text() === 'a')
  one.channel.pause()
  one.client.write('b'.repeat(10_000))
  await new Promise(done => setTimeout(done, 10))
  assert.ok(one.text().length <= 10_001)
  one.channel.resume()
  await until(() => one.text().length === 10_001)
  await one.stop()
})

test('without the handle’s way in it reads by data events', async () => {
  const one = await adopted(socket => {
    // A handle of a Node to come: it has no such function.
    const inner = socket as unknown as { _handle: { useUserBuffer?: unknown } }
    inner._handle.useUserBuffer = undefined
  })
  one.channel.start()
  one.client.write('hello')
  await until(() => one.text() === 'hello')
  one.channel.pause()
  one.client.write('more')
  await new Promise(done => setTimeout(done, 10))
  one.channel.resume()
  await until(() => one.text() === 'hellomore')
  one.client.end()
  await until(() => one.ended())
  await one.stop()
})
