// Every reason of the catalogue is produced over a socket: status, problem+json, and the reason in body and log. A new
// reason does not compile here before it has a case, or a line that says why it can have none.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type net from 'node:net'
import tls from 'node:tls'
import { test } from 'node:test'
import { REASONS, type Reason } from '../../sidecar/exchange/proxy-error.ts'
import { CertificateFolder } from '../harness/certificates.ts'
import { routeTo } from '../harness/configs.ts'
import { DeafUpstream } from '../harness/deaf-upstream.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { withSink, withUpstream } from '../harness/proxied.ts'
import { forge, sharedToken } from '../harness/tokens.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { by, byCredential, byTime, byUpstream, GET, type Producer, withNames } from './producers.ts'

const CASES: Readonly<Record<Reason, Producer | { readonly never: string }>> = {
  bad_request: by('GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n\r\n'),
  bad_path: by('GET /a%2fb HTTP/1.1\r\nhost: a\r\n\r\n'),
  bad_host: by('GET / HTTP/1.1\r\nhost: a b\r\n\r\n'),
  body_aborted: async t => {
    const { sink, proxy } = await withSink(t)
    const client = await proxy.connect()
    client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf')
    client.half()
    const response = await client.readResponse()
    client.destroy()
    assert.equal(sink.requestsSeen().length, 0)
    return { proxy, response }
  },
  forbidden_host: by(GET, { listener: 'hosts: [b.example]' }),
  credentials_missing: byCredential(''),
  credentials_invalid: byCredential('authorization: Bearer x\r\n'),
  token_expired: async t => byCredential(`authorization: Bearer ${await sharedToken({ exp: 1 })}\r\n`)(t),
  identity_provider_unavailable: byCredential(`authorization: Bearer ${forge({ alg: 'ES256' }, {})}\r\n`, {
    // Nobody listens there.
    keys: 'jwks: { url: "http://127.0.0.1:1/" }',
  }),
  forbidden: by(GET, { route: 'authorize: { groups: support }' }),
  authorization_unavailable: async t => {
    const proxy = await InProcess.start(
      // Nobody listens there.
      routeTo(1, { route: 'authorize: { external: opa }' }) +
        'authorization: { external: { opa: { upstream: app } } }\n',
    )
    t.after(() => proxy.stop())
    return { proxy, response: await proxy.ask(GET) }
  },
  cors_refused: by(
    'OPTIONS /x HTTP/1.1\r\nhost: a\r\norigin: http://evil.example\r\naccess-control-request-method: PUT\r\n\r\n',
    { route: 'cors: { origins: ["https://shop.example"] }' },
  ),
  tunnel_refused: async t => {
    const proxy = await InProcess.start(`version: 1
service: test
listeners:
  - { name: out, role: outbound, address: "127.0.0.1:0", tunnel: on, routes: [{ name: a, match: { host: a }, respond: {} }] }
`)
    t.after(() => proxy.stop())
    return {
      proxy,
      response: await proxy.ask('CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: 169.254.169.254\r\n\r\n'),
    }
  },
  origin_refused: by(
    'GET /x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\norigin: https://evil\r\n\r\n',
    { route: 'upgrade: { websocket: { origins: https://a } }' },
  ),
  upgrade_refused: by('GET /x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n', {
    route: 'upgrade: off',
  }),
  no_route: by('GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n', { route: 'match: { path: /x }' }),
  method_not_allowed: by('TRACE /x HTTP/1.1\r\nhost: a\r\n\r\n'),
  request_timeout: byTime('GET / HT', 11_000),
  request_too_large: by('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2000\r\n\r\n', {
    route: 'requestSize: 1KiB',
  }),
  rate_limited: async t => {
    const { proxy } = await withSink(t, { route: 'rateLimit: { requests: 1, per: minute }' })
    assert.equal((await proxy.ask(GET)).status, 200)
    return { proxy, response: await proxy.ask(GET) }
  },
  rate_limit_unavailable: async t => {
    // Nobody listens there.
    const store = 'stores: { default: { redis: "redis://127.0.0.1:1", onError: deny } }\n'
    const proxy = await InProcess.start(
      routeTo(80, { route: 'rateLimit: { requests: 1, per: minute }' }) + store,
    )
    t.after(() => proxy.stop())
    return { proxy, response: await proxy.ask(GET) }
  },
  uri_too_long: by(`GET /${'x'.repeat(9000)} HTTP/1.1\r\nhost: a\r\n\r\n`),
  expectation_failed: by('GET / HTTP/1.1\r\nhost: a\r\nexpect: 200-ok\r\n\r\n'),
  headers_too_large: by(`GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`),
  client_gone: async t => {
    const { upstream, proxy } = await withUpstream(t)
    const client = await proxy.connect()
    client.send(GET)
    await (await upstream.accept()).readUntil('\r\n\r\n')
    client.reset()
    return { proxy, response: null }
  },
  internal: async t => {
    const { proxy } = await withSink(t)
    // A bug of ours, put where a request looks first.
    const bug = {
      get: () => {
        throw new Error('a bug')
      },
      configurable: true,
    }
    Object.defineProperty(proxy.service.budget, 'exhausted', bug)
    const response = await proxy.ask(GET)
    Reflect.deleteProperty(proxy.service.budget, 'exhausted')
    assert.doesNotMatch(response.body.toString(), /a bug|\.ts/)
    return { proxy, response }
  },
  method_unknown: by('BREW /x HTTP/1.1\r\nhost: a\r\n\r\n'),
  unknown_host: async t => {
    const proxy = await InProcess.start(`version: 1
service: test
listeners:
  - { name: out, role: outbound, address: "127.0.0.1:0", upstreams: [users] }
upstreams:
  users: { endpoints: ["127.0.0.1:1"] }
`)
    t.after(() => proxy.stop())
    return { proxy, response: await proxy.ask('GET /x HTTP/1.1\r\nhost: nobody\r\n\r\n') }
  },
  upstream_connect_failed: async t => {
    const { sink, proxy } = await withSink(t)
    await sink.close()
    return { proxy, response: await proxy.ask(GET) }
  },
  upstream_reset: byUpstream('', 'fin'),
  upstream_tls_failed: async t => {
    const folder = await CertificateFolder.create()
    t.after(() => folder.remove())
    const service = tls.createServer(await folder.issue({ dns: ['other.example'] }))
    service.on('tlsClientError', () => {})
    t.after(() => service.close())
    await once(service.listen(0, '127.0.0.1'), 'listening')
    const { port } = service.address() as net.AddressInfo // it listens on TCP
    const upstream = `tls: { ca: "${folder.ca}", serverName: app.example }`
    const proxy = await InProcess.start(routeTo(port, { upstream }))
    t.after(() => proxy.stop())
    return { proxy, response: await proxy.ask(GET) }
  },
  upstream_bad_response: byUpstream(
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx',
    null,
  ),
  upstream_aborted: async t => {
    // The head is out by then: the client sees an abort, the reason stands in the log.
    const { upstream, proxy } = await withUpstream(t)
    const client = await proxy.connect()
    client.send(GET)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')
    await client.readUntil('half')
    server.half()
    assert.equal(await client.readToEnd(), '')
    client.destroy()
    return { proxy, response: null }
  },
  upstream_unresolved: t => withNames(t, 'ENOTFOUND', []),
  no_endpoint: async t => {
    const { sink, proxy } = await withSink(t, { upstream: 'healthCheck: { tcp: on }' })
    await sink.close()
    await proxy.until('the check', () =>
      proxy.errors.some(line => line['msg'] === 'an endpoint fails its health check'),
    )
    return { proxy, response: await proxy.ask(GET) }
  },
  circuit_open: async t => {
    const { sink, proxy } = await withSink(t, {
      route: 'retry: off',
      upstream: 'circuitBreaker: { failureThreshold: 1 }',
    })
    await sink.close()
    assert.equal((await proxy.ask(GET)).status, 502)
    const response = await proxy.ask(GET)
    assert.equal(response.headers['retry-after'], '30')
    return { proxy, response }
  },
  upstream_overloaded: async t => {
    const { upstream, proxy } = await withUpstream(t, { upstream: 'limits: { inFlight: 1, pending: 0 }' })
    const first = await proxy.connect()
    first.send(GET)
    await (await upstream.accept()).readUntil('\r\n\r\n')
    const response = await proxy.ask(GET)
    assert.equal(response.headers['retry-after'], '1')
    first.destroy()
    return { proxy, response }
  },
  overloaded: async t => {
    const { proxy } = await withSink(t)
    const { budget } = proxy.service
    const much = budget.limit * 2
    budget.take(much)
    const response = await proxy.ask(GET)
    budget.give(much)
    assert.equal(response.headers['retry-after'], '1')
    return { proxy, response }
  },
  draining: async t => {
    // What is cut when a drain has lasted long enough: a TCP connection ends only by itself.
    const { upstream, proxy } = await withUpstream(t)
    const yaml = routeTo(upstream.port)
    const tcp = '  - { name: raw, role: inbound, address: "127.0.0.1:0", protocol: tcp, upstream: app }\n'
    await proxy.apply(yaml.replace('upstreams:\n', `${tcp}upstreams:\n`))
    const client = await proxy.connect('raw')
    client.send('bytes')
    await (await upstream.accept()).readUntil('bytes')
    await proxy.apply(yaml)
    await client.closed()
    return { proxy, response: null }
  },
  upstream_connect_timeout: async t => {
    const deaf = await DeafUpstream.listen()
    const proxy = await InProcess.start(routeTo(deaf.port, { route: 'retry: off' }), {
      clock: new SteppedClock(),
    })
    t.after(async () => {
      await deaf.close()
      await proxy.stop()
    })
    const client = await proxy.connect()
    client.send(GET)
    await turns(30)
    await proxy.step(2500, 200)
    const response = await client.readResponse()
    client.destroy()
    return { proxy, response }
  },
  upstream_timeout: byTime(GET, 16_000),
  upstream_idle: byTime('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 50000\r\n\r\nhalf', 8000, {
    route: 'timeout: { idle: 5s }',
  }),
  stream_timeout: async t => {
    const more = { route: 'timeout: { stream: 3s }' }
    const { upstream, proxy } = await withUpstream(t, more, { clock: new SteppedClock() })
    const client = await proxy.connect()
    client.send(GET)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')
    await client.readUntil('half')
    await proxy.step(3100)
    assert.equal(await client.readToEnd(), '')
    client.destroy()
    return { proxy, response: null }
  },
  deadline_exceeded: by('GET /x HTTP/1.1\r\nhost: a\r\nx-left: 0\r\n\r\n', {
    route: 'timeout: { header: x-left }',
  }),
  fault_injected: by(GET, { route: 'fault: { status: 503 }' }),
  http_version: by('GET / HTTP/2.0\r\nhost: a\r\n\r\n'),
  loop_detected: by(`GET /x HTTP/1.1\r\nhost: a\r\n${'via: 1.1 outrigger\r\n'.repeat(10)}\r\n`),
}

for (const [reason, produce] of Object.entries(CASES)) {
  if (typeof produce !== 'function') continue
  test(reason, async t => {
    const { status } = REASONS[reason as Reason] // the keys of CASES are reasons
    const { proxy, response } = await produce(t)
    if (response !== null) {
      assert.equal(response.status, status)
      assert.equal(reasonOf(response), reason)
    }
    const line = await proxy.accessLine(one => one.reason === reason)
    if (response !== null) assert.equal(line.status, status)
    assert.match(await proxy.metrics(), new RegExp(`reason="${reason}"`))
    if (!['forbidden_host', 'unknown_host', 'tunnel_refused'].includes(reason)) await proxy.serves()
  })
}

test('there is no reason that nothing can produce', () => {
  const never = Object.entries(CASES).filter(([, produce]) => typeof produce !== 'function')
  assert.deepEqual(
    never.map(([reason]) => reason),
    [],
  )
})
