import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NO_BODY } from '../exchange/body.ts'
import { Exchange } from '../exchange/exchange.ts'
import { toWire } from '../exchange/headers.ts'
import { AccessLog } from './access-log.ts'
import type { AccessLogSettings } from './access-log.ts'
import { BufferedWriter } from './buffered-writer.ts'
import { fileCalls } from './output.ts'

const clock = { now: () => 112.3456, wall: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) }

/** A log whose lines the test reads. */
function logOf(settings: Partial<AccessLogSettings> = {}, random = () => 0) {
  const lines: string[] = []
  const writer = new BufferedWriter(1, 0, fileCalls)
  writer.write = line => lines.push(line) > 0
  const log = new AccessLog(
    writer,
    { service: 'shop', format: 'json', percent: 100, ...settings },
    clock,
    random,
  )
  return { log, lines }
}

const responder = { inform() {}, respond() {}, limitBody() {}, acceptConnect() {}, abort() {} }

function exchangeOf(headers: string[] = [], target = '/a?b=1', method = 'GET'): Exchange {
  return new Exchange({
    method,
    target,
    version: 'HTTP/1.1',
    headers,
    body: NO_BODY,
    tunnel: null,
    expectsContinue: false,
    connectHost: null,
    peer: {
      address: '::1',
      port: 4711,
      encrypted: false,
      serverName: '',
      identity: null,
      local: { address: '', port: 0 },
    },
    responder,
    entry: '127.0.0.1:80',
    startedAt: 100,
  })
}

function parsed(lines: string[]): Record<string, unknown> {
  assert.equal(lines.length, 1)
  // What was written is one JSON object; its fields are what the test is about.
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>
}

test('a full line', () => {
  const { log, lines } = logOf()
  const exchange = exchangeOf([
    'host',
    'ignored',
    'user-agent',
    toWire('čurl/8') ?? '',
    'traceparent',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  ])
  exchange.request = {
    method: 'GET',
    scheme: 'http',
    host: 'shop.example',
    port: 8080,
    path: '/a',
    query: 'q=1&Token=abc',
    hasQuery: true,
  }
  Object.assign(exchange, { requestId: 'r1', clientAddress: '10.0.0.9', listener: 'in', route: 'orders' })
  Object.assign(exchange, { upstream: 'app', endpoint: '127.0.0.1:9', attempts: 2, status: 502 })
  Object.assign(exchange, { reason: 'upstream_reset', cause: 'ECONNRESET', bytesIn: 3, bytesOut: 4 })
  exchange.firstByteAfter = 5.00049
  log.write(exchange, 'all')
  assert.deepEqual(parsed(lines), {
    time: '2026-01-02T03:04:05.006Z',
    request_id: 'r1',
    service: 'shop',
    listener: 'in',
    route: 'orders',
    method: 'GET',
    host: 'shop.example:8080',
    path: '/a',
    query: 'q=1&Token=***',
    status: 502,
    reason: 'upstream_reset',
    cause: 'ECONNRESET',
    duration_ms: 12.346,
    first_byte_ms: 5,
    bytes_in: 3,
    bytes_out: 4,
    upstream: 'app',
    endpoint: '127.0.0.1:9',
    attempts: 2,
    client: '10.0.0.9',
    peer: '[::1]:4711',
    user_agent: 'čurl/8',
    protocol: 'HTTP/1.1',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
  })
})

test('what never became a request is logged from its target, without its secrets', () => {
  const { log, lines } = logOf()
  log.write(exchangeOf(['host', 'h'], 'http://u:pass@h/x?%61ccess_token=canary&ok=1'), 'all')
  const line = parsed(lines)
  assert.equal(line['path'], 'http://h/x')
  assert.equal(line['query'], '%61ccess_token=***&ok=1')
  assert.doesNotMatch(lines[0] ?? '', /canary|pass/)
})

test('hostile bytes stay inside one line of printable JSON', () => {
  const byte = fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code))
  const bytes = fc.array(byte, { maxLength: 60 }).map(all => all.join(''))
  const text = fc.oneof(bytes, fc.string({ unit: 'binary', maxLength: 40 }))
  fc.assert(
    fc.property(
      bytes,
      bytes,
      bytes,
      text,
      fc.constantFrom('json', 'text'),
      (agent, target, method, cause, format) => {
        const { log, lines } = logOf({ format })
        const exchange = exchangeOf(['user-agent', agent, 'host', target], target, method)
        exchange.requestId = agent
        exchange.cause = cause
        log.write(exchange, 'all')
        const line = lines[0] ?? ''
        assert.match(line, /^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*\n$/)
        if (format === 'json') JSON.parse(line)
      },
    ),
    { numRuns: 150 },
  )
})

test('fields are cut at 2 KiB, never inside a character', () => {
  const { log, lines } = logOf()
  const agent = toWire('€'.repeat(5_000)) ?? ''
  log.write(exchangeOf(['user-agent', agent], `/${'a'.repeat(5_000)}`), 'all')
  const line = parsed(lines)
  assert.equal(line['user_agent'], `${'€'.repeat(682)}…`)
  assert.equal(line['path'], `/${'a'.repeat(2_047)}…`)
})

test('credentials never get in, whatever header or parameter brings them', () => {
  const names = [
    'authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'x-api-key',
    'referer',
    'x-other',
  ]
  const parameters =
    'token access_token refresh_token id_token key apikey api_key password passwd secret client_secret code sig signature X-Amz-Signature X-Amz-Security-Token SAMLResponse user[password] subscription-key auth_key AccountKey hmac_key code_verifier passcode to%6ben %2574oken'
  const query = parameters
    .split(' ')
    .map(name => `${name}=canary`)
    .join('&')
  for (const format of ['json', 'text'] as const) {
    for (const separator of ['&', ';']) {
      const { log, lines } = logOf({ format })
      const target = `/a?${query.replaceAll('&', separator)}${separator}plain=shown`
      const exchange = exchangeOf(
        names.flatMap(name => [name, 'canary']),
        target,
      )
      exchange.upstreamHeaders = ['authorization', 'canary']
      log.write(exchange, 'all')
      assert.doesNotMatch(lines.join(''), /canary/)
      assert.match(lines.join(''), /plain=shown/)
    }
  }
})

test('policy and sampling choose the lines', () => {
  const written = (
    status: number,
    reason: string,
    policy: 'all' | 'errors' | 'off',
    percent = 100,
    chance = 0,
  ) => {
    const { log, lines } = logOf({ percent }, () => chance)
    const exchange = exchangeOf()
    exchange.status = status
    exchange.reason = reason
    log.write(exchange, policy)
    return lines.length === 1
  }
  assert.ok(written(200, '', 'all'))
  assert.ok(!written(200, '', 'errors'))
  assert.ok(!written(399, '', 'errors'))
  assert.ok(written(400, '', 'errors'))
  assert.ok(written(200, 'upstream_aborted', 'errors'))
  assert.ok(!written(500, 'internal', 'off'))
  assert.ok(written(200, '', 'all', 25, 0.249))
  assert.ok(!written(200, '', 'all', 25, 0.25))
  assert.ok(!written(200, '', 'all', 0, 0))
})

test('the form for a terminal', () => {
  const { log, lines } = logOf({ format: 'text' })
  const exchange = exchangeOf([], '/a b\x1b[2J?code=1')
  exchange.status = 404
  exchange.reason = 'no_route'
  log.write(exchange, 'all')
  assert.equal(lines[0], '03:04:05.006 404  12.346ms GET "/a b\\u001b[2J?code=***" route=none no_route\n')
})

test('settings change with a reload', () => {
  const { log, lines } = logOf()
  log.configure({ service: 'other', format: 'json', percent: 100 })
  log.write(exchangeOf(), 'all')
  assert.equal(parsed(lines)['service'], 'other')
})

test('a connection of a TCP listener: no request, hostile names escaped, in JSON and as text', () => {
  for (const format of ['json', 'text'] as const) {
    const { log, lines } = logOf()
    log.configure({ service: 's', format, percent: 100 })
    const exchange = new Exchange({
      method: '',
      target: '',
      version: 'TCP',
      headers: [],
      body: NO_BODY,
      tunnel: null,
      expectsContinue: false,
      connectHost: null,
      peer: {
        address: '10.0.0.9',
        port: 4711,
        encrypted: false,
        serverName: 'a"\x1b[31m',
        identity: null,
        local: { address: '', port: 0 },
      },
      responder,
      entry: '127.0.0.1:80',
      startedAt: 100,
    })
    Object.assign(exchange, {
      listener: 'db',
      route: 'pg',
      upstream: 'pg',
      endpoint: '10.0.0.1:5432',
      attempts: 2,
    })
    Object.assign(exchange, { reason: 'upstream_idle', bytesIn: 3, bytesOut: 4, firstByteAfter: 2 })
    log.write(exchange, 'errors')
    if (format === 'json') {
      const { time, duration_ms: duration, ...rest } = parsed(lines)
      assert.deepEqual([typeof time, typeof duration], ['string', 'number'])
      assert.deepEqual(rest, {
        service: 's',
        listener: 'db',
        route: 'pg',
        sni: 'a"\x1b[31m',
        reason: 'upstream_idle',
        connect_ms: 2,
        bytes_in: 3,
        bytes_out: 4,
        upstream: 'pg',
        endpoint: '10.0.0.1:5432',
        attempts: 2,
        peer: '10.0.0.9:4711',
        protocol: 'TCP',
      })
    } else {
      assert.match(
        lines[0] ?? '',
        / TCP +\d.*ms 10\.0\.0\.9:4711 .* route=pg -> 10\.0\.0\.1:5432 in=3 out=4 attempts=2 upstream_idle\n$/,
      )
      assert.ok(!lines.join('').includes('\x1b'))
    }
  }
  const { log, lines } = logOf()
  const well = exchangeOf()
  Object.assign(well, { version: 'TCP' })
  log.write(well, 'errors')
  assert.equal(lines.length, 0)
})
