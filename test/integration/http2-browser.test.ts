import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Browser } from '../harness/browser.ts'
import { CertificateFolder } from '../harness/certificates.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { WsServer } from '../harness/ws-peers.ts'

/** Twenty requests at once, an upload, a WebSocket: a browser has one connection for all of it. */
const PAGE = `<!doctype html><script>
  const chat = () => new Promise(resolve => {
    const socket = new WebSocket('wss://' + location.host + '/chat')
    const got = []
    socket.onopen = () => ['one', 'x'.repeat(200000), 'three'].forEach(text => socket.send(text))
    socket.onmessage = event => { got.push(event.data.length); if (got.length === 3) socket.close(1000) }
    socket.onclose = event => resolve({ got, code: event.code })
  })
  const many = Array.from({ length: 20 }, (_, i) => fetch('/n' + i).then(answer => answer.text()))
  const upload = fetch('/length', { method: 'POST', body: 'u'.repeat(500000) }).then(answer => answer.text())
  Promise.all([chat(), Promise.all(many), upload]).then(([socket, texts, length]) =>
    fetch('/result', { method: 'POST', body: JSON.stringify({ socket, texts, length, version: performance.getEntriesByType('navigation')[0].nextHopProtocol }) }))
</script>`

interface Result {
  readonly socket: { got: number[]; code: number }
  readonly texts: string[]
  readonly length: string
  readonly version: string
}

test(
  'Chromium over TLS speaks HTTP/2: page, requests, upload and WebSocket on one connection',
  needs('chromium-headless-shell'),
  async () => {
    let tell: (result: Result) => void = () => {}
    const result = new Promise<Result>(resolve => (tell = resolve))
    const upstream = await HttpUpstream.listen((request, response) => {
      let text = ''
      request.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      request.on('end', () => {
        if (request.url === '/') response.setHeader('content-type', 'text/html').end(PAGE)
        else if (request.url === '/length') response.end(String(text.length))
        else response.end(request.url)
        if (request.url === '/result') tell(JSON.parse(text) as Result) // the page above wrote it
      })
    })
    const sockets = await WsServer.listen()
    const certificates = await CertificateFolder.create()
    const certificate = await certificates.write('a', { dns: ['localhost'] })
    const proxy = await InProcess.start(`version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    tls: { certificates: [{ ${certificate} }] }
    routes:
      - { name: chat, match: { path: /chat }, upstream: chat }
      - { name: app, upstream: app }
upstreams:
  app: { endpoints: ["127.0.0.1:${upstream.port}"] }
  chat: { endpoints: ["127.0.0.1:${sockets.port}"] }
telemetry: { accessLog: on }
`)
    const browser = new Browser(`https://localhost:${proxy.port()}/`, ['--ignore-certificate-errors'])
    const { socket, texts, length, version } = await result
    assert.equal(version, 'h2')
    assert.deepEqual(socket, { got: [3, 200_000, 5], code: 1000 })
    assert.deepEqual(
      texts,
      Array.from({ length: 20 }, (_, i) => `/n${i}`),
    )
    assert.equal(length, '500000')
    const chat = await proxy.accessLine(line => line['path'] === '/chat')
    assert.equal(chat.status, 101)
    assert.ok(proxy.access.every(line => line['protocol'] === 'HTTP/2'))
    await browser.close()
    await proxy.stop()
    await upstream.close()
    await sockets.close()
    certificates.remove()
  },
)
