import assert from 'node:assert/strict'
import type net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { CertificateFolder } from '../harness/certificates.ts'
import { freePort } from '../harness/free-port.ts'
import { HeaderService, serving, who, yaml } from '../harness/header-service.ts'
import type { InProcess } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { startHaproxy, startNginx } from '../harness/programs.ts'
import type { RawClient } from '../harness/raw-client.ts'

// PROXY protocol headers of ours in front of HTTP: each connection to the service is one client's.

let own: CertificateFolder
before(async () => {
  own = await CertificateFolder.create()
  await own.write('server', { dns: ['a.example'] })
})
after(() => own.remove())

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

const V2_TCP4 = '\r\n\r\n\0\r\nQUIT\n\x21\x11'

test('a check by TCP says LOCAL or UNKNOWN, and nothing else', async () => {
  for (const [version, header] of [
    ['v1', 'PROXY UNKNOWN\r\n'],
    ['v2', '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0'],
  ] as const) {
    const app = await HeaderService.listen()
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
  const app = await HeaderService.listen()
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
  const [app, judge] = [await HeaderService.listen(), await HeaderService.listen()]
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
