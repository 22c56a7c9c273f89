import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BodySink, BodySource } from '../../exchange/body.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { exchangeFixture } from '../../exchange/exchange-fixture.ts'
import { headerValue, type HeaderList } from '../../exchange/headers.ts'
import type { ProxyError } from '../../exchange/proxy-error.ts'
import { LiveFixture } from '../live-fixture.ts'
import { grpcWebFilter } from './filter.ts'

/** A body of these pieces. */
class Pieces implements BodySource {
  readonly length = 'unknown'
  aborted: ProxyError | null = null
  readonly #pieces: readonly Buffer[]
  readonly #trailers: HeaderList | null
  constructor(pieces: readonly Buffer[], trailers: HeaderList | null = null) {
    this.#pieces = pieces
    this.#trailers = trailers
  }
  start(sink: BodySink): void {
    for (const piece of this.#pieces) if (this.aborted === null) sink.chunk(piece, false)
    if (this.aborted === null) sink.end(this.#trailers)
  }
  resume(): void {}
  abort(error: ProxyError): void {
    this.aborted = error
  }
}

/** What came out of a body: its bytes, or why it broke. */
function drain(body: BodySource): { bytes: Buffer; trailers: HeaderList | null; broken: string } {
  const chunks: Buffer[] = []
  const seen = { bytes: Buffer.alloc(0), trailers: null as HeaderList | null, broken: '' }
  body.start({
    chunk: bytes => chunks.push(Buffer.from(bytes)) > 0,
    end: trailers => (seen.trailers = trailers),
    abort: error => (seen.broken = error.reason),
  })
  seen.bytes = Buffer.concat(chunks)
  return seen
}

function call(type: string, more: HeaderList = []): Exchange {
  const headers = ['content-type', type, ...more]
  const exchange = exchangeFixture({ method: 'POST', headers })
  exchange.upstreamHeaders = [...headers]
  void grpcWebFilter.create(true, { name: 'r' }, new LiveFixture()).onRequest?.(exchange)
  return exchange
}

function respond(exchange: Exchange, headers: HeaderList): HeaderList {
  grpcWebFilter.create(true, { name: 'r' }, new LiveFixture()).onResponse?.(exchange, headers)
  return headers
}

test('a binary call goes on as gRPC, and its trailers come as a last frame', () => {
  const exchange = call('application/grpc-web+proto', ['accept', '*/*', 'x-grpc-web', '1'])
  assert.deepEqual(exchange.upstreamHeaders, ['content-type', 'application/grpc+proto', 'te', 'trailers'])
  assert.equal(exchange.requestTransform, null)
  const headers = respond(exchange, ['content-type', 'application/grpc'])
  assert.equal(headerValue(headers, 'content-type'), 'application/grpc-web+proto')
  const message = Buffer.from([0, 0, 0, 0, 1, 7])
  const body = exchange.responseTransform?.(
    headers,
    new Pieces([message], ['grpc-status', '0', 'grpc-message', 'ok']),
  )
  const { bytes, trailers } = drain(body as BodySource)
  assert.equal(trailers, null)
  const text = 'grpc-status: 0\r\ngrpc-message: ok\r\n'
  assert.deepEqual(
    bytes,
    Buffer.concat([message, Buffer.from([0x80, 0, 0, 0, text.length]), Buffer.from(text)]),
  )
})

test('a text call is base64 both ways, however it is cut and padded', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 7 }),
      (parts, cut) => {
        const exchange = call('application/grpc-web-text')
        assert.equal(headerValue(exchange.upstreamHeaders, 'content-type'), 'application/grpc')
        const text = parts.map(part => Buffer.from(part).toString('base64')).join('')
        const pieces: Buffer[] = []
        for (let at = 0; at < text.length; at += cut) pieces.push(Buffer.from(text.slice(at, at + cut)))
        const { bytes, broken } = drain(exchange.requestTransform?.(new Pieces(pieces)) as BodySource)
        assert.equal(broken, '')
        assert.deepEqual(bytes, Buffer.concat(parts))
      },
    ),
  )
  const exchange = call('application/grpc-web-text+proto')
  const headers = respond(exchange, ['content-type', 'application/grpc+proto'])
  assert.equal(headerValue(headers, 'content-type'), 'application/grpc-web-text+proto')
  const { bytes } = drain(
    exchange.responseTransform?.(
      headers,
      new Pieces([Buffer.from('ab')], ['grpc-status', '0']),
    ) as BodySource,
  )
  // The first piece is there by itself, before the next one comes.
  assert.ok(bytes.toString('latin1').startsWith('YWI='))
})

test('what is no base64 is refused', () => {
  for (const text of ['a', 'ab=c', 'a===', 'ab\ncd', 'abc-', '====']) {
    const source = new Pieces([Buffer.from(text)])
    assert.equal(
      drain(call('application/grpc-web-text').requestTransform?.(source) as BodySource).broken,
      'bad_request',
      text,
    )
    assert.equal(source.aborted?.reason, 'bad_request')
  }
})

test('a status without messages stays in the head, and scripts of other origins may read it', () => {
  const exchange = call('application/grpc-web')
  const fields = ['content-type', 'application/grpc', 'grpc-status', '5', 'access-control-allow-origin', '*']
  const headers = respond(exchange, fields)
  const body = new Pieces([])
  assert.equal(exchange.responseTransform?.(headers, body), body)
  assert.match(headerValue(headers, 'access-control-expose-headers') ?? '', /grpc-status, grpc-message/)
})

test('an answer that is no gRPC passes as it is, and other requests are left alone', () => {
  const exchange = call('application/grpc-web')
  assert.deepEqual(respond(exchange, ['content-type', 'text/html']), ['content-type', 'text/html'])
  assert.equal(exchange.responseTransform, null)
  const plain = call('application/grpc')
  assert.deepEqual(plain.upstreamHeaders, ['content-type', 'application/grpc'])
  assert.equal(plain.responseTransform, null)
})
