import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import tls from 'node:tls'
import { askTls, CertificateFolder, type TlsAnswer } from '../harness/certificates.ts'
import { freePort } from '../harness/free-port.ts'
import { InProcess } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { startHaproxy, startNginx, startRedis } from '../harness/programs.ts'
import { RawClient } from '../harness/raw-client.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

// TCP listeners in front of real services, and headers of ours that real proxies read.

let own: CertificateFolder
let server: string
before(async () => {
  own = await CertificateFolder.create()
  server = await own.write('server', { dns: ['a.example'] })
})
after(() => own.remove())

const NAME = 'version: 1\nservice: test\ntelemetry: { accessLog: { write: on } }\n'

async function serving(yaml: string, use: (proxy: InProcess) => Promise<void>): Promise<void> {
  const proxy = await InProcess.start(NAME + yaml)
  try {
    await use(proxy)
  } finally {
    await proxy.stop()
  }
}

const get = 'GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n'

test(
  'Redis: commands, a pipeline, a value of a megabyte, a reader that blocks; over TLS as well',
  needs('redis-server'),
  async () => {
    const redis = await startRedis()
    try {
      await serving(
        `listeners:
  - { name: cache, role: outbound, address: "127.0.0.1:0", protocol: tcp, upstream: redis }
  - name: secure
    role: inbound
    address: 127.0.0.1:0
    protocol: tcp
    tls: { certificates: { ${server} }, clients: { ca: "${own.ca}" } }
    upstream: redis
upstreams: { redis: { endpoints: ["127.0.0.1:${redis.port}"] } }
`,
        async proxy => {
          const client = await RawClient.connect(proxy.port('cache'))
          client.send('SET a 1\r\nGET a\r\nINCR a\r\nGET missing\r\n')
          assert.equal(await client.readUntil('$-1\r\n'), '+OK\r\n$1\r\n1\r\n:2\r\n$-1\r\n')
          const value = 'v'.repeat(1_000_000)
          client.send(`*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$${value.length}\r\n${value}\r\nGET big\r\n`)
          const read = (await client.read(5 + 10 + value.length + 2)).toString()
          assert.equal(read, `+OK\r\n$1000000\r\n${value}\r\n`)
          const blocked = await RawClient.connect(proxy.port('cache'))
          blocked.send('BLPOP queue 0\r\n')
          for (let info = ''; !info.includes('blocked_clients:1');) {
            client.send('INFO clients\r\nPING\r\n')
            info = await client.readUntil('+PONG\r\n')
          }
          client.send('RPUSH queue job\r\n')
          assert.match(await blocked.readUntil('job\r\n'), /queue\r\n\$3\r\njob\r\n$/)
          client.send('QUIT\r\n')
          await client.readToEnd()
          client.destroy()
          blocked.send('QUIT\r\n')
          assert.equal(await blocked.readToEnd(), '+OK\r\n')
          blocked.destroy()
          await proxy.until('no connection', () => proxy.connections === 0)
          const line = await proxy.accessLine(one => one.route === 'cache')
          assert.equal(line.reason, undefined)

          const pair = await own.issue({ uris: ['spiffe://shop/web'] })
          const ask = 'GET a\r\nQUIT\r\n'
          const answer = await askTls(proxy.port('secure'), {
            ca: own.authority.cert,
            servername: 'a.example',
            // Not ours to know: what is spoken inside is the service's.
            ALPNProtocols: ['redis'],
            ...pair,
            ask,
          })
          assert.equal(answer.text, '$1\r\n2\r\n+OK\r\n', answer.error)
          const secured = await proxy.accessLine(one => one.route === 'secure')
          assert.deepEqual([secured['sni'], secured['peer_spiffe']], ['a.example', 'spiffe://shop/web'])
          const without = await askTls(proxy.port('secure'), { ca: own.authority.cert, ask })
          assert.equal(without.text, '')
        },
      )
    } finally {
      await redis.stop()
    }
  },
)

test(
  'SNI: each name reaches its own TLS service, whose certificate the client sees',
  needs('nginx'),
  async () => {
    const files = ['eu', 'rest', 'default']
    const pairs = await Promise.all(
      files.map(name =>
        own.write(name, { dns: [`${name}.shop.example`, ...(name === 'rest' ? ['*.shop.example'] : [])] }),
      ),
    )
    assert.equal(pairs.length, 3)
    const nginx = await Promise.all(
      files.map(async name => {
        const port = await freePort()
        const program = await startNginx(
          `listen 127.0.0.1:${port} ssl; ssl_certificate ${own.file(`${name}.crt`)}; ssl_certificate_key ${own.file(`${name}.key`)}; location / { return 200 '${name} $ssl_server_name'; }`,
        )
        return { port, program }
      }),
    )
    try {
      const [eu, rest, other] = nginx.map(one => one.port)
      await serving(
        `listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    protocol: tcp
    routes:
      - { name: eu, match: { sni: eu.shop.example }, upstream: eu }
      - { name: shop, match: { sni: "*.shop.example" }, upstream: shop }
      - { name: others, upstream: others }
upstreams:
  eu: { endpoints: ["127.0.0.1:${eu}"] }
  shop: { endpoints: ["127.0.0.1:${rest}"] }
  others: { endpoints: ["127.0.0.1:${other}"] }
`,
        async proxy => {
          const ask = (servername: string): Promise<TlsAnswer> =>
            askTls(proxy.port(), { ca: own.authority.cert, servername, rejectUnauthorized: false, ask: get })
          for (const [name, body, certificate] of [
            ['eu.shop.example', 'eu eu.shop.example', /DNS:eu\.shop\.example/],
            ['EU.Shop.Example', 'eu EU.Shop.Example', /DNS:eu\.shop\.example/],
            ['us.shop.example', 'rest us.shop.example', /DNS:\*\.shop\.example/],
            ['deep.us.shop.example', 'rest deep.us.shop.example', /DNS:\*\.shop\.example/],
            ['shop.example', 'default shop.example', /DNS:default\.shop\.example/],
            ['', 'default ', /DNS:default\.shop\.example/],
          ] as const) {
            const answer = await ask(name)
            assert.ok(answer.text.endsWith(`\r\n\r\n${body}`), `${name}: ${answer.text} ${answer.error}`)
            assert.match(answer.peer, certificate)
          }
          const line = await proxy.accessLine(one => one.route === 'shop')
          assert.equal(line['sni'], 'us.shop.example')
        },
      )
    } finally {
      for (const { program } of nginx) await program.stop()
    }
  },
)

describe('headers of ours', () => {
  /** One listener that says whose connection it is, to one endpoint. */
  const saying = (port: number, version: string, more = '', listener = ''): string => `listeners:
  - { name: in, role: edge, address: "127.0.0.1:0", protocol: tcp, ${listener}upstream: app }
upstreams:
  app: { endpoints: ["127.0.0.1:${port}"], proxyProtocol: ${version}${more} }
`
  const ask = async (port: number, before = ''): Promise<{ text: string; from: number }> => {
    const client = await RawClient.connect(port)
    const { port: from } = client.socket.address() as net.AddressInfo // it is connected over TCP
    client.send(before + get)
    const text = await client.readToEnd()
    client.destroy()
    return { text: text.slice(text.indexOf('\r\n\r\n') + 4), from }
  }

  for (const version of ['v1', 'v2', 'on'])
    test(`HAProxy reads ${version}`, needs('haproxy'), async () => {
      const port = await freePort()
      const haproxy = await startHaproxy(`frontend f
  bind 127.0.0.1:$port
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port]"`)
      try {
        await serving(saying(port, version), async proxy => {
          const { text, from } = await ask(proxy.port())
          assert.equal(text, `127.0.0.1:${from} 127.0.0.1:${proxy.port()}`)
        })
        // One that we were told of is told on, its destination too.
        const told = 'proxyProtocol: on, trustedProxies: 127.0.0.1, '
        await serving(saying(port, version, '', told), async proxy => {
          const { text } = await ask(proxy.port(), 'PROXY TCP6 2001:db8::7 2001:db8::1 4444 443\r\n')
          assert.equal(text, '2001:db8::7:4444 2001:db8::1:443')
        })
      } finally {
        await haproxy.stop()
      }
    })

  test('nginx reads it, plain and before TLS', needs('nginx'), async () => {
    const [plain, secure] = [await freePort(), await freePort()]
    const nginx =
      await startNginx(`listen 127.0.0.1:${plain} proxy_protocol; listen 127.0.0.1:${secure} ssl proxy_protocol;
      ssl_certificate ${own.file('server.crt')}; ssl_certificate_key ${own.file('server.key')};
      location / { return 200 '$proxy_protocol_addr:$proxy_protocol_port $ssl_protocol'; }`)
    try {
      for (const version of ['v1', 'v2']) {
        await serving(saying(plain, version), async proxy => {
          const { text, from } = await ask(proxy.port())
          assert.equal(text, `127.0.0.1:${from} `)
        })
        const encrypted = `, tls: { ca: "${own.ca}", serverName: a.example }`
        await serving(saying(secure, version, encrypted), async proxy => {
          const { text, from } = await ask(proxy.port())
          assert.match(text, new RegExp(`^127\\.0\\.0\\.1:${from} TLSv1`))
        })
      }
    } finally {
      await nginx.stop()
    }
  })
})

test('TLS to the upstream: plain inside is encrypted on; another certificate is refused', async () => {
  const pair = await own.issue({ dns: ['db.example'] })
  const service = tls.createServer({ ...pair, minVersion: 'TLSv1.2' }, socket => {
    socket.on('error', () => {})
    socket.end('from db.example')
  })
  service.on('tlsClientError', () => {})
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const { port } = service.address() as net.AddressInfo // it listens on TCP
  try {
    await serving(
      `listeners:
  - { name: db, role: outbound, address: "127.0.0.1:0", protocol: tcp, upstream: db }
  - { name: wrong, role: outbound, address: "127.0.0.1:0", protocol: tcp, retry: off, upstream: wrong }
upstreams:
  db: { endpoints: ["127.0.0.1:${port}"], tls: { ca: "${own.ca}", serverName: db.example } }
  wrong: { endpoints: ["127.0.0.1:${port}"], tls: { ca: "${own.ca}", serverName: other.example } }
`,
      async proxy => {
        const client = await RawClient.connect(proxy.port('db'))
        assert.equal(await client.readToEnd(), 'from db.example')
        client.destroy()
        const refused = await RawClient.connect(proxy.port('wrong'))
        assert.equal(await refused.closed(), 'ECONNRESET')
        const line = await proxy.accessLine(one => one.route === 'wrong')
        assert.equal(line.reason, 'upstream_tls_failed')
      },
    )
  } finally {
    service.close()
  }
})

async function connects(port: number): Promise<boolean> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  const connected = await new Promise<boolean>(resolve => {
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
  })
  socket.destroy()
  return connected
}

test('a drain: no new connection, those that are open go on until its time is over; the exit code says that one was cut', async () => {
  const service = await RawUpstream.listen()
  const outrigger = await Outrigger.start(`version: 1
service: test
admin: { address: "127.0.0.1:0" }
drain: { timeout: 1500ms }
listeners:
  - { name: db, role: edge, address: "127.0.0.1:0", protocol: tcp, upstream: db }
upstreams: { db: { endpoints: ["127.0.0.1:${service.port}"] } }
`)
  try {
    const port = outrigger.port('db')
    const client = await RawClient.connect(port)
    client.send('one')
    const far = await service.accept()
    await far.readUntil('one')
    const stopping = outrigger.stop('SIGINT')
    await outrigger.logged(line => line.msg === 'draining')
    while (await connects(port));
    far.send('still there')
    await client.readUntil('still there')
    assert.equal(await client.closed(), 'ECONNRESET')
    assert.deepEqual(await stopping, { code: 4, signal: null })
    client.destroy()
  } finally {
    await outrigger.stop('SIGKILL')
    await service.close()
  }
})
