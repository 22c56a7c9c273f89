import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import { test } from 'node:test'
import { GET, HeaderService, serving, who, yaml } from '../harness/header-service.ts'
import { turns } from '../harness/in-process.ts'
import type { RawClient } from '../harness/raw-client.ts'

// Connections to a service that is told whom each is for: how many there are, and whose go.

test('a full pool: an idle connection of somebody else goes, the one that was used longest ago', async () => {
  const app = await HeaderService.listen()
  try {
    await serving(yaml(app.port, 'proxyProtocol: v1, limits: { connections: 2 }'), async proxy => {
      const clients = [await proxy.connect(), await proxy.connect(), await proxy.connect()] as const
      const began = (client: RawClient): number =>
        app.seen.filter(text => text.startsWith(`PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} `))
          .length
      await who(clients[0])
      await who(clients[1])
      await who(clients[0])
      await who(clients[2])
      await proxy.until('two connections', () => app.open.size === 2)
      // The first one's is still there, the second one's went and comes again.
      await who(clients[0])
      assert.equal(app.seen.length, 3)
      await who(clients[1])
      await proxy.until('two connections again', () => app.open.size === 2)
      assert.deepEqual(clients.map(began), [1, 2, 1])
      for (const client of clients) client.destroy()
    })
  } finally {
    await app.close()
  }
})

test('clients that wait for the one connection that there may be: each has its own, one after another', async () => {
  const app = await HeaderService.listen()
  try {
    await serving(yaml(app.port, 'proxyProtocol: v1, limits: { connections: 1 }'), async proxy => {
      const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.connect()))
      for (const client of clients) client.send(GET)
      for (const client of clients) assert.equal((await client.readResponse()).status, 200)
      const ports = app.seen.map(text => text.split(' ')[4])
      assert.deepEqual(new Set(ports), new Set(clients.map(({ socket }) => String(socket.localPort))))
      await proxy.until('one connection', () => app.open.size === 1)
      for (const client of clients) client.destroy()
    })
  } finally {
    await app.close()
  }
})

test('HTTP/2: a session is one client’s alone, so `limits.connections` bounds requests too; the next client has its own', async () => {
  const held: { stream: http2.ServerHttp2Stream; from: string }[] = []
  const sessions = http2.createServer()
  const open = new Set<net.Socket>()
  sessions.on('stream', (stream: http2.ServerHttp2Stream) => {
    const { remotePort } = stream.session?.socket ?? {}
    held.push({ stream, from: headers.get(remotePort ?? 0) ?? '' })
  })
  const headers = new Map<number, string>()
  const service = net.createServer(socket => {
    open.add(socket.on('error', () => {}).on('close', () => open.delete(socket)))
    socket.once('data', (bytes: Buffer) => {
      socket.pause()
      const end = bytes.indexOf('\r\n') + 2
      headers.set(socket.remotePort ?? 0, bytes.toString('latin1', 0, end))
      socket.unshift(bytes.subarray(end))
      sessions.emit('connection', socket)
    })
  })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const { port } = service.address() as net.AddressInfo // it listens on TCP
  try {
    const limits = 'protocol: http2, proxyProtocol: v1, limits: { connections: 1 }'
    await serving(yaml(port, limits), async proxy => {
      const clients = [await proxy.connect(), await proxy.connect()] as const
      clients[0].send(GET)
      await proxy.until('a request', () => held.length === 1)
      clients[1].send(GET)
      await turns(50)
      assert.equal(held.length, 1, 'the other waits')
      for (const [index, client] of clients.entries()) {
        await proxy.until('the request', () => held.length === index + 1)
        const one = held[index]
        assert.equal(one?.from.split(' ')[4], String(client.socket.localPort))
        one?.stream.respond({ ':status': 200 })
        one?.stream.end('ok')
        assert.equal((await client.readResponse()).status, 200)
      }
      await proxy.until('one session', () => open.size === 1)
      for (const client of clients) client.destroy()
    })
  } finally {
    for (const socket of open) socket.destroy()
    service.close()
  }
})

test('without a limit of connections there are no more than requests may be in flight, however many clients come', async () => {
  const app = await HeaderService.listen()
  try {
    await serving(yaml(app.port, 'proxyProtocol: v2, limits: { inFlight: 5 }'), async proxy => {
      for (let i = 0; i < 60; i++) {
        const client = await proxy.connect()
        await who(client)
        client.destroy()
        await proxy.until('room', () => app.open.size <= 5)
      }
      assert.equal(app.seen.length, 60)
    })
  } finally {
    await app.close()
  }
})
