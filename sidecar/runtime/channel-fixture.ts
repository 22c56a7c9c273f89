import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach } from 'node:test'
import type { Channel, ChannelOwner } from './channel.ts'
import { connectChannel } from './connect-channel.ts'
import { MemoryBudget } from './memory-budget.ts'
import { ReadBuffers } from './read-buffers.ts'

/** Keeps what a channel tells. */
export class Listener implements ChannelOwner {
  text = ''
  bytes = 0
  ends = 0
  drains = 0
  closes: string[] = []
  onBytes(buffer: Buffer, length: number): void {
    this.bytes += length
    if (this.bytes < 1000) this.text += buffer.toString('latin1', 0, length)
  }
  onEnd(): void {
    this.ends++
  }
  onDrain(): void {
    this.drains++
  }
  onClose(code: string): void {
    this.closes.push(code)
  }
}

let server: net.Server
/** The memory of the running test. */
export let buffers: ReadBuffers
/** What owners threw. */
export const faults: unknown[] = []
const opened: { destroy(): void }[] = []

/** Gives every test a server and memory of its own, and sees that nothing of the memory is held at its end. */
export function eachWithServer(): void {
  beforeEach(async () => {
    faults.length = 0
    buffers = new ReadBuffers(new MemoryBudget(1e9), error => faults.push(error))
    server = net.createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(async () => {
    // What a test that failed left open.
    for (const one of opened.splice(0)) one.destroy()
    server.close()
    await once(server, 'close')
    assert.equal(buffers.held, 0, 'read buffers are still held')
  })
}

/** A channel that is connected, and the socket at its other end. */
export async function connected(owner: ChannelOwner): Promise<{ channel: Channel; peer: net.Socket }> {
  const accepted = once(server, 'connection')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const channel = await new Promise<Channel>(resolve => {
    const made: Channel = connectChannel({ at: { host: '127.0.0.1', port }, tls: null }, buffers, () =>
      resolve(made),
    )
    made.owner = owner
  })
  const [peer] = (await accepted) as [net.Socket]
  peer.on('error', () => {})
  opened.push(channel, peer)
  return { channel, peer }
}

/** Waits until it is so, three seconds at most. */
export async function until(met: () => boolean): Promise<void> {
  const end = performance.now() + 3000
  while (!met() && performance.now() < end) await new Promise(setImmediate)
  assert.ok(met())
}

/** Closes both ends. */
export async function close(channel: Channel, peer: net.Socket): Promise<void> {
  channel.destroy()
  peer.destroy()
  await until(() => channel.closed)
}
