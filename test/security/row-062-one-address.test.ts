import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { askTls, CertificateFolder } from '../harness/certificates.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawH2 } from '../harness/raw-h2.ts'

let ops: CertificateFolder
let shops: CertificateFolder
let server: string
let port: number
before(async () => {
  ops = await CertificateFolder.create()
  shops = await CertificateFolder.create()
  server = await ops.write('server', { dns: ['admin.example', 'open.example', 'rest.example'] })
})
after(() => {
  ops.remove()
  shops.remove()
})

/** Listeners of one address, in this order: lines of each behind its name. */
async function sharing(
  listeners: Record<string, string>,
  use: (proxy: InProcess) => Promise<void>,
): Promise<void> {
  const free = net.createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  port = (free.address() as net.AddressInfo).port // it listens on TCP
  free.close()
  await once(free, 'close')
  const blocks = Object.entries(listeners).map(
    ([name, lines]) =>
      `  - { name: ${name}, role: edge, address: "127.0.0.1:${port}", ${lines}, respond: { body: "this is ${name}" } }\n`,
  )
  const proxy = await InProcess.start(`version: 1\nservice: test\nlisteners:\n${blocks.join('')}`)
  try {
    await use(proxy)
  } finally {
    await proxy.stop()
  }
}

const get = (host: string): string => `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`
const tlsOf = (more: string): string => `tls: { certificates: { ${server} }${more} }`

test('without SNI the authorities are those of the listener that takes the rest, not of the first', async () => {
  const listeners = {
    admin: `hosts: admin.example, ${tlsOf(`, clients: { ca: "${ops.ca}" }`)}`,
    rest: tlsOf(`, clients: { ca: "${shops.ca}" }`),
  }
  await sharing(listeners, async () => {
    const ca = ops.authority.cert
    const pair = await ops.issue({ uris: ['spiffe://shop/ops'] })
    const shop = await shops.issue({ uris: ['spiffe://shop/web'] })
    const nameless = { ca, servername: '', checkServerIdentity: () => undefined, ask: get('rest.example') }
    assert.equal((await askTls(port, { ...nameless, ...pair })).text, '')
    assert.match((await askTls(port, { ...nameless, ...shop })).text, /200[^]*this is rest$/)
    // With a name that nobody has it is the same.
    const unknown = { ca, servername: 'rest.example', ask: get('rest.example') }
    assert.equal((await askTls(port, { ...unknown, ...pair })).text, '')
    assert.match((await askTls(port, { ...unknown, ...shop })).text, /200[^]*this is rest$/)
  })
})

test('without SNI the certificate is that of the listener that takes the rest', async () => {
  const rest = await ops.write('rest', { dns: ['rest.example'] })
  const listeners = {
    open: `hosts: open.example, ${tlsOf('')}`,
    rest: `tls: { certificates: { ${rest} } }`,
  }
  await sharing(listeners, async () => {
    const seen = await askTls(port, {
      ca: ops.authority.cert,
      servername: '',
      checkServerIdentity: () => undefined,
    })
    assert.equal(seen.peer, 'DNS:rest.example')
  })
})

test('each listener has its own oldest version', async () => {
  for (const order of [
    ['old', 'new'],
    ['new', 'old'],
  ]) {
    const both: Record<string, string> = {
      old: `hosts: open.example, ${tlsOf('')}`,
      new: `hosts: admin.example, ${tlsOf(', minVersion: tls1.3')}`,
    }
    const listeners = Object.fromEntries(order.map(name => [name, both[name] as string])) // both are there
    await sharing(listeners, async () => {
      const ask = (servername: string, maxVersion: 'TLSv1.2' | 'TLSv1.3') =>
        askTls(port, { ca: ops.authority.cert, servername, maxVersion, ask: get(servername) })
      assert.match((await ask('open.example', 'TLSv1.2')).text, /this is old$/, order.join())
      assert.match((await ask('admin.example', 'TLSv1.3')).text, /this is new$/, order.join())
      assert.equal((await ask('admin.example', 'TLSv1.2')).text, '', order.join())
    })
  }
})

test('names in capitals, with a dot at the end, and addresses open nothing that they do not name', async () => {
  const listeners = {
    open: `hosts: open.example, ${tlsOf('')}`,
    admin: `hosts: admin.example, ${tlsOf(`, clients: { ca: "${ops.ca}" }`)}`,
  }
  await sharing(listeners, async () => {
    const ca = ops.authority.cert
    const through = { ca, checkServerIdentity: () => undefined }
    for (const servername of ['ADMIN.example', 'admin.example'])
      assert.equal(
        (await askTls(port, { ...through, servername, ask: get('admin.example') })).text,
        '',
        servername,
      )
    for (const servername of [
      '',
      'admin.example.',
      'open.example',
      'x.admin.example',
      '*.example',
      '127.0.0.1.',
    ])
      for (const host of ['admin.example', 'ADMIN.EXAMPLE', 'admin.example.', 'admin.example:443'])
        assert.match(
          (await askTls(port, { ...through, servername, ask: get(host) })).text,
          /^HTTP\/1\.1 4(21|00) [^]*(forbidden_host|bad_host)/,
          `${servername} ${host}`,
        )
    const absolute = `GET https://admin.example/ HTTP/1.1\r\nhost: admin.example\r\nconnection: close\r\n\r\n`
    assert.match(
      (await askTls(port, { ...through, servername: 'open.example', ask: absolute })).text,
      /^HTTP\/1\.1 421/,
    )
  })
})

test('a session of one listener opens no other, by ticket or by session id, with TLS 1.2 and 1.3', async () => {
  for (const clients of [
    [`, clients: { ca: "${ops.ca}", required: off }`, `, clients: { ca: "${ops.ca}" }`],
    ['', `, clients: { ca: "${ops.ca}" }`],
    [`, clients: { ca: "${shops.ca}" }`, `, clients: { ca: "${ops.ca}" }`],
  ]) {
    const listeners = {
      open: `hosts: open.example, ${tlsOf(clients[0] ?? '')}`,
      admin: `hosts: admin.example, ${tlsOf(clients[1] ?? '')}`,
    }
    await sharing(listeners, async () => {
      const ca = ops.authority.cert
      const shop = await shops.issue({ uris: ['spiffe://shop/admin'] })
      const shown = clients[0]?.includes(shops.ca) === true ? shop : {}
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const through = { ca, maxVersion, checkServerIdentity: () => undefined, ...shown }
        const first = await askTls(port, { ...through, servername: 'open.example', ask: get('open.example') })
        assert.match(first.text, /this is open/)
        if (first.session === null) continue
        const { session } = first
        for (const servername of ['admin.example', 'open.example', ''])
          assert.doesNotMatch(
            (await askTls(port, { ...through, session, servername, ask: get('admin.example') })).text,
            /this is admin/,
            `${maxVersion} ${servername}`,
          )
      }
    })
  }
})

test('on a session of HTTP/2 every request is held to the name that opened it', async () => {
  const listeners = {
    admin: `hosts: admin.example, ${tlsOf(`, clients: { ca: "${ops.ca}" }`)}`,
    open: `hosts: open.example, ${tlsOf('')}`,
  }
  await sharing(listeners, async () => {
    const client = await RawH2.connect(port, { tls: { servername: 'open.example' } })
    const ask = (host: string): number =>
      client.request([':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', host])
    for (const [host, status] of [
      ['open.example', 200],
      ['admin.example', 421],
      ['ADMIN.example', 421],
      ['other.example', 421],
      ['open.example', 200],
    ] as const)
      assert.equal((await client.over(ask(host))).status, status, host)
    client.destroy()
  })
})
