import type http from 'node:http'
import type { TestContext } from 'node:test'
import { HttpUpstream } from './http-upstream.ts'
import { InProcess } from './in-process.ts'
import { RecordingSink } from './raw-upstream.ts'
import type { SteppedClock } from './stepped-clock.ts'

interface Options {
  readonly external?: string
  readonly authorize?: string
  /** More of the route that goes upstream. */
  readonly route?: string
  readonly clock?: SteppedClock
}

function config(
  port: number,
  decider: number,
  { external = '', authorize = '{ external: opa }', route = '' }: Options,
) {
  return `version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    authorize: ${authorize}
    routes:
      - { name: here, match: { path: { exact: /here } }, authorize: off, respond: { body: here } }
      - { name: app, upstream: app, ${route} }
authorization: { external: { opa: { upstream: opa, ${external} } } }
upstreams:
  app: { endpoints: ["127.0.0.1:${port}"] }
  opa: { endpoints: ["127.0.0.1:${decider}"] }
telemetry: { accessLog: on }
`
}

/** A proxy that asks a service before it passes anything on. */
export async function startDecided(t: TestContext, decider: number, options: Options = {}) {
  const sink = await RecordingSink.listen()
  t.after(() => sink.close())
  const { clock } = options
  const proxy = await InProcess.start(
    config(sink.port, decider, options),
    clock === undefined ? {} : { clock },
  )
  t.after(() => proxy.stop())
  const ask = (head = 'GET /x?a=1 HTTP/1.1\r\n', fields = '', body = '') =>
    proxy.ask(`${head}host: Shop.example:8080\r\n${fields}\r\n${body}`)
  return { sink, proxy, ask }
}

/** A deciding service over HTTP that says what the test says. */
export async function httpDecider(t: TestContext, answer: http.RequestListener) {
  const seen: { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }[] = []
  const service = await HttpUpstream.listen((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      answer(request, response)
    })
  })
  t.after(() => (service.server.listening ? service.close() : undefined))
  return { service, seen }
}

/** Allows, with a field that counts and one that does not. */
export const ALLOW: http.RequestListener = (_request, response) => {
  response.writeHead(200, { 'x-user-id': 'alice', 'x-other': 'no' }).end()
}
