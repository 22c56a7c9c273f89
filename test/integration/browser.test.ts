import assert from 'node:assert/strict'
import type http from 'node:http'
import { type TestContext, test } from 'node:test'
import { Browser } from '../harness/browser.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { WsServer } from '../harness/ws-peers.ts'

/** What the page does: a WebSocket of three messages, an event stream of three events, and one from another origin. */
const PAGE = `<!doctype html><script>
  const chat = host => new Promise((resolve, reject) => {
    const socket = new WebSocket('ws://' + host + '/chat')
    const got = []
    socket.onopen = () => ['one', 'x'.repeat(200000), 'three'].forEach(text => socket.send(text))
    socket.onmessage = event => got.push(event.data.length)
    socket.onclose = event => resolve({ got, code: event.code, reason: event.reason, extensions: socket.extensions })
  })
  const events = () => new Promise(resolve => {
    const source = new EventSource('/events')
    const got = []
    source.onmessage = event => {
      got.push(event.data)
      fetch('/seen?' + event.data)
      if (got.length === 3) { source.close(); resolve(got) }
    }
  })
  const other = location.host.replace('localhost', '127.0.0.1')
  Promise.all([chat(location.host), events(), chat(other)]).then(([own, stream, foreign]) =>
    fetch('/result', { method: 'POST', body: JSON.stringify({ own, stream, foreign }) }))
</script>`

interface Result {
  readonly own: { got: number[]; code: number; reason: string; extensions: string }
  readonly stream: string[]
  readonly foreign: { got: number[]; code: number }
}

/** Serves the page; the next event is sent when the page has told that it has seen the last. */
async function serve() {
  let stream: http.ServerResponse | null = null
  let tell: (result: Result) => void = () => {}
  const result = new Promise<Result>(resolve => (tell = resolve))
  const upstream = await HttpUpstream.listen((request, response) => {
    if (request.url === '/') {
      response.setHeader('content-type', 'text/html').end(PAGE)
    } else if (request.url === '/events') {
      stream = response
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    } else if (request.url?.startsWith('/seen?') === true) {
      stream?.write(`data: ${Number(request.url.slice(6)) + 1}\n\n`)
      response.end()
    } else if (request.url === '/result') {
      let text = ''
      request.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      request.on('end', () => {
        response.end()
        tell(JSON.parse(text) as Result) // the page above wrote it
      })
    } else response.writeHead(404).end()
  })
  return { upstream, result }
}

test(
  'Chromium: WebSocket and event stream through edge and sidecar',
  needs('chromium-headless-shell'),
  async (t: TestContext) => {
    const service = await WsServer.listen()
    const { upstream, result } = await serve()
    const sidecar = await Outrigger.start(`version: 1
service: app
admin: { address: "127.0.0.1:0" }
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    trustedProxies: 127.0.0.1
    routes:
      - { name: chat, match: { path: /chat }, upstream: chat }
      - { name: app, upstream: app }
upstreams:
  chat: { url: "http://127.0.0.1:${service.port}" }
  app: { url: "http://127.0.0.1:${upstream.port}" }
`)
    const edge = await Outrigger.start(`version: 1
service: edge
admin: { address: "127.0.0.1:0" }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    upstream: app
    upgrade: { websocket: { origins: https://shop.example, ping: 1s, max: 4s } }
upstreams: { app: { url: "http://127.0.0.1:${sidecar.port('in')}" } }
telemetry: { accessLog: on }
`)
    const browser = new Browser(`http://localhost:${edge.port('in')}/`)
    t.after(async () => {
      await browser.close()
      await Promise.all([edge.stop('SIGKILL'), sidecar.stop('SIGKILL')])
      await Promise.all([upstream.close(), service.close()])
    })
    const { own, stream, foreign } = await result
    assert.deepEqual(stream, ['1', '2', '3'])
    // It lived until its time was over, and answered our pings meanwhile.
    assert.deepEqual(own.got, [3, 200_000, 5])
    assert.match(own.extensions, /permessage-deflate/)
    assert.deepEqual([own.code, own.reason], [1001, 'lifetime'])
    assert.ok(service.pings >= 2, `${service.pings} pings`)
    assert.deepEqual(service.pongs, [])
    assert.deepEqual([foreign.got, foreign.code], [[], 1006])
    await edge.accessLogged(/"reason":"origin_refused"/)
  },
)
