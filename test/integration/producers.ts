import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { guarded } from '../harness/guarded.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { withSink, withUpstream } from '../harness/proxied.ts'
import type { RecordingSink } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { SECRET } from '../harness/tokens.ts'
import type { WireResponse } from '../harness/strict-http.ts'

/** The answer that a client got, and the proxy that gave it; no answer where there can be none. */
export interface Produced {
  readonly proxy: InProcess
  readonly response: WireResponse | null
}
/** Brings a reason about. */
export type Producer = (t: TestContext) => Promise<Produced>

/** A request that any route takes. */
export const GET = 'GET /x HTTP/1.1\r\nhost: a\r\n\r\n'

/** By one request to a proxy before a sink. */
export function by(
  request: string,
  more?: Parameters<typeof routeTo>[1],
  sink?: (sink: RecordingSink) => void,
): Producer {
  return async t => {
    const parts = await withSink(t, more)
    sink?.(parts.sink)
    return { proxy: parts.proxy, response: await parts.proxy.ask(request) }
  }
}

/** By what a service does to a request. */
export function byUpstream(reply: string, end: 'fin' | 'rst' | null): Producer {
  return async t => {
    const { upstream, proxy } = await withUpstream(t)
    const answer = proxy.ask(GET)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send(reply)
    if (end === 'fin') server.half()
    else if (end === 'rst') server.reset()
    return { proxy, response: await answer }
  }
}

/** By time: what the client sends, then so many milliseconds. */
export function byTime(bytes: string, milliseconds: number, more?: Parameters<typeof routeTo>[1]): Producer {
  return async t => {
    const { proxy } = await withUpstream(t, more, { clock: new SteppedClock() })
    const client = await proxy.connect()
    client.send(bytes)
    await turns(30)
    await proxy.step(milliseconds, 200)
    const response = await client.readResponse()
    client.destroy()
    return { proxy, response }
  }
}

/** By what a request says of who it is from. */
export function byCredential(field: string, { keys = `secret: ${SECRET}` } = {}): Producer {
  return async t => {
    const authentication = `jwt: { main: { issuer: off, audiences: off, ${keys} } }`
    const proxy = await InProcess.start(guarded(1, { authenticate: '{ jwt: main }', authentication }))
    t.after(() => proxy.stop())
    const response = await proxy.ask(`GET /x HTTP/1.1\r\nhost: a\r\n${field}\r\n`)
    // RFC 9110 section 15.5.2: every 401 says what would do.
    if (response.status === 401) assert.match(response.headers['www-authenticate'] ?? '', /^Bearer realm=/)
    return { proxy, response }
  }
}

/** By what a name server answers for the upstream's name. */
export async function withNames(
  t: TestContext,
  error: string | null,
  addresses: string[],
): Promise<Produced> {
  const proxy = await InProcess.start(routeTo(80).replace('127.0.0.1:80', 'app.internal:80'), {
    lookup: (_name, done) =>
      done(error === null ? null : Object.assign(new Error(error), { code: error }), addresses),
    every: () => ({ stop: () => {} }),
  })
  t.after(() => proxy.stop())
  return { proxy, response: await proxy.ask(GET) }
}
