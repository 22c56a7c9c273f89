import assert from 'node:assert/strict'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { proxyHeader } from '../../sidecar/upstream/proxy-header.ts'
import { askTls, CertificateFolder } from '../harness/certificates.ts'
import { HttpUpstream, seenBy } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { startHaproxy } from '../harness/programs.ts'
import { RawClient } from '../harness/raw-client.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

// PROXY protocol headers that come in: whose connection it is, and who may say so.

const CLIENT = { address: '203.0.113.7', port: 4444 }
const SERVER = { address: '192.0.2.1', port: 443 }
const HEADER = proxyHeader('v1', CLIENT, SERVER).toString('latin1')
const get = (target: string, fields = ''): string =>
  `GET ${target} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n${fields}\r\n`

let own: CertificateFolder
let upstream: HttpUpstream
let server: string
before(async () => {
  own = await CertificateFolder.create()
  upstream = await HttpUpstream.listen()
  server = await own.write('server', { dns: ['a.example'] })
})
after(async () => {
  await upstream.close()
  own.remove()
})

const listening = (lines: string, trusted = '127.0.0.1'): string => `version: 1
service: test
telemetry: { accessLog: { write: on } }
upstreams: { app: { url: "http://127.0.0.1:${upstream.port}" } }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    proxyProtocol: on
    trustedProxies: ["192.0.2.200", "${trusted}"]
${lines}
    upstream: app
`

async function serving(
  yaml: string,
  use: (proxy: InProcess) => Promise<void>,
  options: { clock?: SteppedClock } = {},
): Promise<void> {
  const proxy = await InProcess.start(yaml, options)
  try {
    await use(proxy)
  } finally {
    await proxy.stop()
  }
}

/** Sends these pieces, each in a segment of its own, and reads to the end. */
async function send(port: number, pieces: readonly (string | Buffer)[]): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  let text = ''
  socket.setEncoding('latin1').on('data', chunk => (text += String(chunk)))
  socket.on('error', () => {})
  const closed = new Promise(done => socket.on('close', done))
  for (const piece of pieces) {
    socket.write(piece)
    if (pieces.length > 1) await new Promise(done => setImmediate(done))
  }
  await closed
  return text
}

/** A proxy that sends the header in one segment with the first bytes, or both cut at a byte, and then passes everything. */
async function frontOf(port: number, header: Buffer, cut: number): Promise<{ port: number; close(): void }> {
  const front = net.createServer({ noDelay: true }, client => {
    const to = net.connect({ port, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, to]) socket.on('error', () => {})
    client.once('data', first => {
      const whole = Buffer.concat([header, Buffer.from(first)])
      to.write(whole.subarray(0, cut === 0 ? whole.length : cut))
      setImmediate(() => {
        if (cut > 0) to.write(whole.subarray(cut))
        client.pipe(to)
      })
    })
    to.pipe(client)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  const address = front.address() as net.AddressInfo // it listens on TCP
  return { port: address.port, close: () => front.close() }
}

test('the source is the client: for the upstream, the log and forwarded fields; version 1 and 2', async () => {
  await serving(listening(''), async proxy => {
    for (const version of ['v1', 'v2'] as const) {
      const header = proxyHeader(version, CLIENT, SERVER)
      const text = await send(proxy.port(), [Buffer.concat([header, Buffer.from(get(`/${version}`))])])
      assert.match(text, /^HTTP\/1\.1 200/)
      assert.match(text, /"x-forwarded-for":"203\.0\.113\.7"/)
      const line = await proxy.accessLine(one => one['path'] === `/${version}`)
      assert.deepEqual([line['client'], line['peer']], ['203.0.113.7', '203.0.113.7:4444'])
    }
    assert.match(await proxy.metrics(), /^outrigger_proxy_headers_total\{address="[^"]*",result="ok"\} 2$/m)
  })
})

test('what the client itself says is believed only where the source is trusted as well', async () => {
  await serving(listening(''), async proxy => {
    const forged = get('/x', 'x-forwarded-for: 198.51.100.1\r\n')
    assert.match(await send(proxy.port(), [HEADER + forged]), /"x-forwarded-for":"203\.0\.113\.7"/)
    const trusted = proxyHeader('v2', { address: '192.0.2.200', port: 1 }, SERVER)
    const text = await send(proxy.port(), [Buffer.concat([trusted, Buffer.from(forged)])])
    assert.match(text, /"x-forwarded-for":"198\.51\.100\.1, 192\.0\.2\.200"/)
  })
})

test('LOCAL and UNKNOWN keep the connection’s own address', async () => {
  await serving(listening(''), async proxy => {
    const local = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex')
    for (const header of [local, Buffer.from('PROXY UNKNOWN\r\n')]) {
      const text = await send(proxy.port(), [Buffer.concat([header, Buffer.from(get('/'))])])
      assert.match(text, /"x-forwarded-for":"127\.0\.0\.1"/)
    }
  })
})

test('from anywhere else the connection is not taken, whatever it says', async () => {
  await serving(listening('', '10.0.0.0/8'), async proxy => {
    assert.equal(await send(proxy.port(), [HEADER + get('/')]), '')
    assert.equal(await send(proxy.port(), [get('/')]), '')
    await proxy.until('two refused', () => proxy.connections === 0)
    assert.match(await proxy.metrics(), /outrigger_proxy_headers_total\{[^}]*result="untrusted"\} 2\n/)
    assert.equal(proxy.access.length, 0)
  })
})

test('without a header, with a broken one, or with one cut off, the connection is closed and nothing passes', async () => {
  await serving(listening(''), async proxy => {
    for (const bytes of [
      get('/'),
      `PROXY TCP4 203.0.113.7 192.0.2.1 1 99999\r\n${get('/')}`,
      `PROXY UNKNOWN ${'x'.repeat(200)}\r\n${get('/')}`,
      `${HEADER}${HEADER}${get('/')}`,
    ]) {
      const text = await send(proxy.port(), [bytes])
      // The second header is no request.
      assert.match(text, bytes.startsWith(HEADER) ? /^HTTP\/1\.1 400/ : /^$/)
    }
    const half = net.connect({ port: proxy.port(), host: '127.0.0.1' })
    half.end('PROXY TC')
    half.on('error', () => {})
    await once(half.resume(), 'close')
    const metrics = await proxy.metrics()
    assert.match(metrics, /outrigger_proxy_headers_total\{[^}]*result="invalid"\} 3\n/)
    assert.match(metrics, /outrigger_proxy_headers_total\{[^}]*result="closed"\} 1\n/)
    const [line] = proxy.errors.filter(one => one['result'] === 'invalid')
    assert.deepEqual([line?.['peer'], line?.['cause']], ['127.0.0.1', 'no header'])
    await proxy.until('no connection', () => proxy.connections === 0)
  })
})

test('one that does not come in time is not waited for', async () => {
  await serving(
    listening('    connection: { handshake: 2s }'),
    async proxy => {
      const client = await proxy.connect()
      client.send('PROXY TCP4 203')
      await proxy.until('accepted', () => proxy.connections === 1)
      await proxy.step(1500)
      assert.equal(client.isClosed, false)
      await proxy.step(1000)
      assert.equal(await client.readToEnd(), '')
      client.destroy()
      assert.match(await proxy.metrics(), /outrigger_proxy_headers_total\{[^}]*result="timeout"\} 1\n/)
    },
    { clock: new SteppedClock() },
  )
})

test('cut at every byte, in front of a request: nothing is lost', async () => {
  await serving(listening(''), async proxy => {
    const bytes = Buffer.concat([proxyHeader('v2', CLIENT, SERVER), Buffer.from(get('/cut'))])
    for (let cut = 1; cut < 40; cut++) {
      const text = await send(proxy.port(), [bytes.subarray(0, cut), bytes.subarray(cut)])
      assert.match(text, /^HTTP\/1\.1 200[^]*"x-forwarded-for":"203\.0\.113\.7"/, `cut at ${cut}`)
    }
    const slow = await send(
      proxy.port(),
      Array.from(bytes, byte => Buffer.from([byte])),
    )
    assert.match(slow, /^HTTP\/1\.1 200/)
  })
})

test('in front of TLS: in one segment with the hello, and cut at every byte', async () => {
  await serving(listening(`    tls: { certificates: { ${server} } }`), async proxy => {
    const ask = async (header: Buffer, cut: number): Promise<string> => {
      const front = await frontOf(proxy.port(), header, cut)
      const { text } = await askTls(front.port, { ca: own.authority.cert, ask: get('/tls') })
      front.close()
      return text
    }
    const header = proxyHeader('v1', CLIENT, SERVER)
    for (let cut = 0; cut < header.length + 10; cut++)
      assert.match(
        await ask(header, cut),
        /^HTTP\/1\.1 200[^]*"x-forwarded-for":"203\.0\.113\.7"/,
        `cut at ${cut}`,
      )
    await proxy.until('no connection', () => proxy.connections === 0)
  })
})

test('the limit of connections of one address is the client’s, not the proxy’s', async () => {
  await serving(listening('    limits: { connectionsPerAddress: 2 }'), async proxy => {
    const open = async (address: string): Promise<RawClient> => {
      const client = await proxy.connect()
      client.send(`PROXY TCP4 ${address} 192.0.2.1 1 2\r\n`)
      return client
    }
    const [a, b, c] = [await open('203.0.113.7'), await open('203.0.113.7'), await open('203.0.113.8')]
    await proxy.until('three', () => proxy.connections === 3)
    const third = await open('203.0.113.7')
    assert.equal(await third.closed(), 'ECONNRESET')
    for (const client of [a, b, c])
      assert.equal((await client.ask('GET / HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
    for (const client of [a, b, c]) client.destroy()
  })
})

describe('HAProxy in front', needs('haproxy'), () => {
  for (const [how, version] of [
    ['send-proxy', 'v1'],
    ['send-proxy-v2', 'v2'],
    ['send-proxy-v2 proxy-v2-options crc32c,unique-id', 'v2 with a checksum and more'],
  ] as const)
    test(`${how}: ${version}, plain and in front of TLS, its checks too`, async () => {
      const both = `${listening('').trimEnd()}
  - { name: secure, role: edge, address: "127.0.0.1:0", proxyProtocol: on, trustedProxies: 127.0.0.1, tls: { certificates: { ${server} } }, upstream: app }
`
      await serving(both, async proxy => {
        const haproxy = await startHaproxy(`frontend f
  bind 127.0.0.1:$port
  unique-id-format %rt
  use_backend secure if { path_beg /secure }
  default_backend plain
backend plain
  option httpchk GET /x
  server one 127.0.0.1:${proxy.port('in')} ${how} check inter 100ms
backend secure
  server one 127.0.0.1:${proxy.port('secure')} ${how} ssl verify none sni str(a.example)`)
        try {
          for (const target of ['/plain', '/secure']) {
            const client = await RawClient.connect(haproxy.port)
            const { port } = client.socket.address() as net.AddressInfo // it is connected over TCP
            const { headers } = seenBy(
              (await client.ask(`GET ${target} HTTP/1.1\r\nhost: a.example\r\n\r\n`)).body,
            )
            client.destroy()
            assert.equal(headers['x-forwarded-for'], '127.0.0.1')
            const line = await proxy.accessLine(one => one['path'] === target)
            // The address is the machine's own either way; the port says whose it is.
            assert.equal(line['peer'], `127.0.0.1:${port}`)
          }
          assert.match(await proxy.metrics(), /result="ok"\}/)
          assert.doesNotMatch(await proxy.metrics(), /result="invalid"/)
        } finally {
          await haproxy.stop()
        }
      })
    })
})

test('over a Unix socket whoever may open it is believed', async () => {
  const file = path.join(os.tmpdir(), `outrigger-proxy-protocol-${process.pid}.sock`)
  const yaml = listening('').replace('address: 127.0.0.1:0', `address: "unix:${file}"`)
  await serving(yaml, async () => {
    const socket = net.connect({ path: file })
    socket.setEncoding('latin1').end(HEADER + get('/'))
    let text = ''
    socket.on('data', chunk => (text += String(chunk)))
    await once(socket, 'close')
    assert.match(text, /"x-forwarded-for":"203\.0\.113\.7"/)
  })
})
