import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test, type TestContext } from 'node:test'
import { HttpUpstream } from '../../../test/harness/http-upstream.ts'
import { watchLeaks } from '../../../test/harness/leaks.ts'
import { SteppedClock } from '../../../test/harness/stepped-clock.ts'
import { checkBench, nextCheck } from '../check-fixture.ts'

let checkLeaks: () => Promise<void>
before(() => {
  checkLeaks = watchLeaks()
})
after(() => checkLeaks())

/** A gRPC server whose health service answers these bytes, and this status. */
async function grpcServer(
  t: TestContext,
): Promise<{ port: number; asked: string[]; message: string; status: string | null }> {
  const state = { asked: [] as string[], message: '00000000020801', status: '0' as string | null }
  const server = http2.createServer()
  server.on('session', session => session.on('error', () => {}))
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    stream.on('error', () => {})
    const parts: Buffer[] = []
    stream.on('data', (bytes: Buffer) => parts.push(bytes))
    stream.on('end', () => {
      state.asked.push(`${headers[':authority']} ${headers[':path']} ${Buffer.concat(parts).toString('hex')}`)
      if (state.status !== null && state.message === '') {
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': state.status },
          { endStream: true },
        )
        return
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () =>
        stream.sendTrailers(state.status === null ? {} : { 'grpc-status': state.status }),
      )
      stream.end(Buffer.from(state.message, 'hex'))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return Object.assign(state, { port: (server.address() as AddressInfo).port }) // it listens on TCP
}

describe('gRPC', () => {
  test('asks for the service, and reads what the server says of it', async t => {
    const on = checkBench(t, new SteppedClock())
    const server = await grpcServer(t)
    const health = on.check(server.port, {
      kind: 'grpc',
      target: 'shop.Cart',
      healthyAfter: 1,
      unhealthyAfter: 1,
    })
    for (const [message, status, fault] of [
      ['00000000020801', '0', ''],
      ['00000000020802', '0', 'not serving'],
      ['00000000020803', '0', 'service unknown'],
      ['0000000000', '0', 'unknown'],
      ['', '5', 'service unknown'],
      ['', '12', 'no health service'],
      ['', '14', 'grpc status 14'],
      ['00000000020801', '2', 'grpc status 2'],
      ['00000000020801', null, 'bad response'],
      ['01000000020801', '0', 'bad response'],
      ['00000000030801', '0', 'bad response'],
      ['00000000021001', '0', 'bad response'],
      ['00'.repeat(5000), '0', 'bad response'],
      ['00000000020801', '0', ''],
    ] as const) {
      server.message = message
      server.status = status
      await nextCheck(on, health)
      assert.equal(health.fault, fault, `${message.slice(0, 20)} ${status}`)
      assert.equal(health.healthy, fault === '')
    }
    assert.equal(server.asked[0], 'app.example /grpc.health.v1.Health/Check 000000000b0a0973686f702e43617274')
  })

  test('the server as a whole; a server that has no gRPC', async t => {
    const on = checkBench(t, new SteppedClock())
    const server = await grpcServer(t)
    const whole = on.check(server.port, { kind: 'grpc', target: '' })
    await nextCheck(on, whole)
    assert.equal(whole.fault, '')
    assert.equal(server.asked[0], 'app.example /grpc.health.v1.Health/Check 0000000000')
    const app = await HttpUpstream.listen()
    t.after(() => app.close())
    const other = on.check(app.port, { kind: 'grpc', target: '' })
    await nextCheck(on, other)
    assert.notEqual(other.fault, '')
  })
})
