import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { CertificateFolder } from '../harness/certificates.ts'
import { freePort } from '../harness/free-port.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { startHaproxy, startNginx } from '../harness/programs.ts'
import { RawClient } from '../harness/raw-client.ts'

// PROXY protocol headers of ours in front of HTTP: each connection to the service is one client's.

let own: CertificateFolder
before(async () => {
  own = await CertificateFolder.create()
  await own.write('server', { dns: ['a.example'] })
})
after(() => own.remove())

const GET = 'GET /who HTTP/1.1\r\nhost: a.example\r\n\r\n'

function yaml(port: number, upstream: string, listener = ''): string {
  return `version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", ${listener}upstream: app }
upstreams:
  app: { endpoints: ["127.0.0.1:${port}"], ${upstream} }
`
}

async function serving(text: string, use: (proxy: InProcess) => Promise<void>): Promise<void> {
  const proxy = await InProcess.start(text)
  try {
    await use(proxy)
  } finally {
    await proxy.stop()
  }
}

/** What the service says of a request on this connection. */
async function who(client: RawClient, before = ''): Promise<string> {
  const { status, body } = await client.ask(before + GET)
  assert.equal(status, 200)
  return body.toString('latin1')
}

function addressOf(client: RawClient): string {
  const { address, port } = client.socket.address() as net.AddressInfo // it is connected over TCP
  return `${address}:${port}`
}

/** Two clients that ask in turn; each time the answer has to begin with who asks. Answers what is behind that. */
async function inTurn(proxy: InProcess): Promise<readonly [string[], string[]]> {
  const clients = [await proxy.connect(), await proxy.connect()] as const
  const rest = [[], []] as const satisfies readonly [string[], string[]] as readonly [string[], string[]]
  for (let round = 0; round < 3; round++)
    for (const [index, client] of clients.entries()) {
      const answer = await who(client)
      const expected = `${addressOf(client)} `
      assert.ok(answer.startsWith(expected), `${answer} is not ${expected}`)
      rest[index as 0 | 1].push(answer.slice(expected.length))
    }
  for (const client of clients) client.destroy()
  return rest
}

for (const version of ['v1', 'v2', 'on'])
  test(
    `HAProxy reads ${version}: both ends of the client, a connection for each`,
    needs('haproxy'),
    async () => {
      const port = await freePort()
      const haproxy = await startHaproxy(`frontend f
  bind 127.0.0.1:$port
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port]"`)
      try {
        await serving(yaml(port, `proxyProtocol: ${version}, healthCheck: /healthz`), async proxy => {
          const [first, second] = await inTurn(proxy)
          const to = `127.0.0.1:${proxy.port()}`
          assert.deepEqual([first, second], [Array(3).fill(to), Array(3).fill(to)])
          const text = await proxy.metrics()
          assert.match(text, /outrigger_upstream_connects_total\{upstream="app",result="opened"\} 2\n/)
          const endpoint = proxy.service.holder.current.snapshot.upstreams.get('app')?.members[0]
          await proxy.until('a check', () => endpoint?.check?.checkedAt !== null)
          assert.deepEqual([endpoint?.check?.fault, endpoint?.endpoint.pool.open], ['', 2])
        })
        // One that we were told of is told on, and what was asked on another connection of the same two is on its own.
        const told = 'proxyProtocol: on, trustedProxies: 127.0.0.1, '
        await serving(yaml(port, `proxyProtocol: ${version}`, told), async proxy => {
          const client = await proxy.connect()
          assert.equal(
            await who(client, 'PROXY TCP6 2001:db8::7 2001:db8::1 4444 443\r\n'),
            '2001:db8::7:4444 2001:db8::1:443',
          )
          client.destroy()
        })
      } finally {
        await haproxy.stop()
      }
    },
  )

describe('nginx', needs('nginx'), () => {
  for (const [name, listen, more] of [
    ['in the clear', 'proxy_protocol', ''],
    ['in front of TLS', 'ssl proxy_protocol', ', tls: { ca: "$ca", serverName: a.example }'],
    ['HTTP/2 in the clear', 'http2 proxy_protocol', ', protocol: http2'],
    [
      'HTTP/2 over TLS',
      'ssl http2 proxy_protocol',
      ', protocol: http2, tls: { ca: "$ca", serverName: a.example }',
    ],
  ] as const)
    test(`${name}: its real_ip is the client, whose connection is kept`, async () => {
      const port = await freePort()
      const nginx = await startNginx(`listen 127.0.0.1:${port} ${listen};
      ssl_certificate ${own.file('server.crt')}; ssl_certificate_key ${own.file('server.key')};
      set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;
      location / { return 200 '$remote_addr:$remote_port $connection $connection_requests'; }
      location /healthz { return 204; }`)
      try {
        for (const version of ['v1', 'v2']) {
          const upstream = `proxyProtocol: ${version}, healthCheck: /healthz${more.replace('$ca', own.ca)}`
          await serving(yaml(port, upstream), async proxy => {
            const [first, second] = await inTurn(proxy)
            const ids = [first, second].map(answers => new Set(answers.map(answer => answer.split(' ')[0])))
            assert.deepEqual(
              ids.map(set => set.size),
              [1, 1],
              'each has a connection, and keeps it',
            )
            assert.notDeepEqual(ids[0], ids[1])
            assert.deepEqual(
              first.map(answer => answer.split(' ')[1]),
              ['1', '2', '3'],
            )
            const check = proxy.service.holder.current.snapshot.upstreams.get('app')?.members[0]?.check
            await proxy.until('a check', () => check?.checkedAt !== null)
            assert.equal(check?.fault, '')
          })
        }
        assert.equal(nginx.output(), '', 'nginx has nothing to complain about')
      } finally {
        await nginx.stop()
      }
    })
})

/** A service that writes down what each of its connections begins with, and answers every request. */
class Headers {
  readonly seen: string[] = []
  readonly open = new Set<net.Socket>()
  readonly #server = net.createServer(socket => {
    const index = this.seen.push('') - 1
    this.open.add(socket)
    socket.on('data', (bytes: Buffer) => {
      this.seen[index] += bytes.toString('latin1')
      if (bytes.includes('HTTP/1.1')) socket.write(REPLY)
    })
    socket.on('error', () => {})
    socket.on('close', () => this.open.delete(socket))
  })

  static async listen(): Promise<Headers> {
    const made = new Headers()
    made.#server.listen(0, '127.0.0.1')
    await once(made.#server, 'listening')
    return made
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port // it listens on TCP
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const V2_TCP4 = '\r\n\r\n\0\r\nQUIT\n\x21\x11'
const REPLY = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

test('a full pool: an idle connection of somebody else goes, the one that was used longest ago', async () => {
  const app = await Headers.listen()
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
  const app = await Headers.listen()
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
  const app = await Headers.listen()
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

test('a check by TCP says LOCAL or UNKNOWN, and nothing else', async () => {
  for (const [version, header] of [
    ['v1', 'PROXY UNKNOWN\r\n'],
    ['v2', '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0'],
  ] as const) {
    const app = await Headers.listen()
    try {
      await serving(yaml(app.port, `proxyProtocol: ${version}, healthCheck: { tcp: on }`), async proxy => {
        await proxy.until('a check', () => app.seen.length === 1 && app.open.size === 0)
        assert.equal(app.seen[0], header)
        const check = proxy.service.holder.current.snapshot.upstreams.get('app')?.members[0]?.check
        await proxy.until('its result', () => check?.checkedAt !== null)
        assert.equal(check?.fault, '')
      })
    } finally {
      await app.close()
    }
  }
})

test('another version by a reload has other connections; a repetition after a race begins with the same header', async () => {
  const app = await Headers.listen()
  const text = (version: string): string => yaml(app.port, `proxyProtocol: ${version}`)
  try {
    await serving(text('v1'), async proxy => {
      const client = await proxy.connect()
      await who(client)
      await proxy.apply(text('v2'))
      await proxy.until('the old one gone', () => app.open.size === 0)
      await who(client)
      // Ended unseen: the request meets it, and goes again.
      for (const socket of app.open) socket.destroy()
      await who(client)
      assert.deepEqual(
        app.seen.map(one => one.slice(0, 14)),
        ['PROXY TCP4 127', V2_TCP4, V2_TCP4],
      )
      assert.equal(app.seen[1]?.slice(0, 28), app.seen[2]?.slice(0, 28), 'both ends, in their ports too')
      client.destroy()
    })
  } finally {
    await app.close()
  }
})

test('a service that is asked whether a request may pass hears LOCAL or UNKNOWN: it is we who ask', async () => {
  const [app, judge] = [await Headers.listen(), await Headers.listen()]
  try {
    await serving(
      `version: 1
service: test
authorization: { external: { judge: { upstream: judge, protocol: http } } }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", authorize: { external: judge }, upstream: app }
upstreams:
  app: { endpoints: ["127.0.0.1:${app.port}"], proxyProtocol: v1 }
  judge: { endpoints: ["127.0.0.1:${judge.port}"], proxyProtocol: v1 }
`,
      async proxy => {
        const client = await proxy.connect()
        await who(client)
        assert.match(judge.seen[0] ?? '', /^PROXY UNKNOWN\r\n[A-Z]+ /)
        assert.match(app.seen[0] ?? '', /^PROXY TCP4 /)
        client.destroy()
      },
    )
  } finally {
    await app.close()
    await judge.close()
  }
})
