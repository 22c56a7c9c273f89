import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { OutgoingSocket } from './outgoing-socket.ts'

/** A pair of connected sockets; what ours reads is gathered. */
async function pair(): Promise<{
  ours: OutgoingSocket
  peer: net.Socket
  read: () => string
  end: () => void
}> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  let text = ''
  const ours = new OutgoingSocket({
    allowHalfOpen: true,
    onread: {
      buffer: Buffer.alloc(1024),
      callback: (length, bytes) => {
        text += Buffer.from(bytes.subarray(0, length)).toString()
        return true
      },
    },
  })
  // It listens on TCP; a `connection` event holds the socket.
  ours.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  const [peer] = (await once(server, 'connection')) as [net.Socket]
  if (ours.connecting) await once(ours, 'connect')
  return { ours, peer, read: () => text, end: () => server.close() }
}

/** The end of a socket, whether an error comes before it or not. */
function closeOf(socket: net.Socket): Promise<void> {
  return new Promise(resolve => socket.once('close', () => resolve()))
}

test('what the peer said before it reset the connection is read although a write fails first', async () => {
  const { ours, peer, read, end } = await pair()
  const errors: (string | undefined)[] = []
  ours.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code))
  const closed = closeOf(ours)
  // All in one turn of the loop: ours has had no chance to read when it writes to a connection that is gone.
  peer.write('an answer')
  peer.resetAndDestroy()
  ours.write('more of the upload')
  ours.write('and more')
  assert.equal(read(), '')
  await closed
  assert.equal(read(), 'an answer')
  assert.equal(ours.broken, true)
  assert.equal(errors.length, 1)
  assert.match(errors[0] ?? '', /^(EPIPE|ECONNRESET)$/)
  end()
})

test('an end behind a failed write is no end that the peer meant', async () => {
  const { ours, peer, read, end } = await pair()
  let ended = false
  ours.on('end', () => (ended = true)).on('error', () => {})
  peer.write('all')
  peer.resetAndDestroy()
  ours.write('x')
  await closeOf(ours)
  assert.deepEqual({ text: read(), ended }, { text: 'all', ended: false })
  end()
})

test('every other end is as it was', async () => {
  const first = await pair()
  const ended = once(first.ours, 'end')
  first.peer.end('bye')
  await ended
  assert.equal(first.read(), 'bye')
  first.ours.end()
  await once(first.ours, 'close')
  assert.equal(first.ours.broken, false)
  first.end()

  const second = await pair()
  second.ours.destroy()
  assert.equal(second.ours.destroyed, true)
  second.peer.on('error', () => {}).resume()
  await once(second.peer, 'close')
  second.end()

  const refused = new OutgoingSocket().connect({ host: '127.0.0.1', port: 1 })
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
})
