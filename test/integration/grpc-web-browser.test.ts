import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { Browser } from '../harness/browser.ts'
import { user, UsersServer } from '../harness/grpc-users.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'

/** The client of grpc.io in a page of another origin: a message has a string in its first field, and that is all there is to its codec. */
const PAGE = `<!doctype html><script>
  const failed = what => fetch('/result', { method: 'POST', body: JSON.stringify({ failed: String(what) }) })
  addEventListener('error', event => failed(event.message))
  addEventListener('unhandledrejection', event => failed(event.reason))
</script><script type="module">
  import { GrpcWebClientBase, MethodDescriptor, MethodType } from '/grpc-web.js'
  const encode = id => new Uint8Array([10, id.length, ...new TextEncoder().encode(id)])
  const decode = bytes => new TextDecoder().decode(bytes.slice(2, 2 + bytes[1]))
  const method = (name, type) => new MethodDescriptor('/shop.Users/' + name, type, Object, Object, encode, decode)
  const get = method('Get', MethodType.UNARY)
  const watch = method('Watch', MethodType.SERVER_STREAMING)
  const other = 'http://' + location.host.replace('localhost', '127.0.0.1')
  const unary = (client, id, metadata = {}) =>
    client.unaryCall(other + '/shop.Users/Get', id, metadata, get).then(
      answer => ({ answer }),
      ({ code, message }) => ({ code, message }))
  const stream = (client, id) => new Promise(resolve => {
    const got = []
    let code = -1
    let message = ''
    client.serverStreaming(other + '/shop.Users/Watch', id, {}, watch)
      .on('data', one => { got.push(one); fetch('/seen?' + one) })
      .on('status', status => { code = status.code; message = status.details })
      .on('error', error => resolve({ got, code: error.code, message: error.message }))
      .on('end', () => resolve({ got, code, message }))
  })
  const text = new GrpcWebClientBase({ format: 'text' })
  const binary = new GrpcWebClientBase({ format: 'binary' })
  const result = {}
  for (const [name, client] of [['text', text], ['binary', binary]]) result[name] = [
    await unary(client, '7', { 'x-asked': 'yes' }),
    await unary(client, 'missing'),
    await unary(client, 'hang', { deadline: String(Date.now() + 500) }),
  ]
  result.stream = await stream(text, 'slow')
  result.broken = await stream(text, 'broken')
  await fetch('/result', { method: 'POST', body: JSON.stringify(result) })
</script>`

type Unary = readonly [{ answer: string }, { code: number; message: string }, { code: number }]
interface Stream {
  readonly got: readonly string[]
  readonly code: number
  readonly message: string
}
interface Result {
  readonly text: Unary
  readonly binary: Unary
  readonly stream: Stream
  readonly broken: Stream
  /** What went wrong in the page itself. */
  readonly failed?: string
}

const library = new URL('index.esm.js', import.meta.resolve('grpc-web'))

test(
  'Chromium: the client of grpc-web calls from another origin, in both forms, and its stream comes message by message',
  needs('chromium-headless-shell'),
  async (t: TestContext) => {
    /** The server says the next when the page has told that it has seen the last. */
    let seen: (id: string) => void = () => {}
    const server = await UsersServer.start({
      get(call, done) {
        const { id } = call.request
        if (id === 'missing') done({ code: grpc.status.NOT_FOUND, details: 'nobody ä' })
        else if (id !== 'hang')
          done(null, { ...user(id), id: `${id} ${call.metadata.get('x-asked').join()}` })
      },
      watch(call) {
        const broken = call.request.id === 'broken'
        let next = 1
        const say = (): boolean => call.write(user(String(next++)))
        seen = id => {
          if (Number(id) !== next - 1) return
          if (next <= 3) say()
          else if (broken) call.emit('error', { code: grpc.status.ABORTED, details: 'half way' })
          else call.end()
        }
        say()
      },
    })
    let tell: (result: Result) => void = () => {}
    const result = new Promise<Result>(resolve => (tell = resolve))
    const pages = await HttpUpstream.listen((request, response) => {
      if (request.url === '/') response.setHeader('content-type', 'text/html').end(PAGE)
      else if (request.url === '/grpc-web.js')
        response.setHeader('content-type', 'text/javascript').end(readFileSync(library))
      else if (request.url?.startsWith('/seen?') === true) {
        seen(request.url.slice(6))
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
    const edge = await Outrigger.start(`version: 1
service: edge
admin: { address: "127.0.0.1:0" }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    routes:
      - name: users
        match: { grpc: { service: shop.Users } }
        cors: { origins: "*" }
        grpcWeb: on
        upstream: users
      - { name: pages, upstream: pages }
upstreams:
  users: { url: "http://127.0.0.1:${server.port}", protocol: http2 }
  pages: { url: "http://127.0.0.1:${pages.port}" }
telemetry: { accessLog: on }
`)
    const browser = new Browser(`http://localhost:${edge.port('in')}/`)
    t.after(async () => {
      await browser.close()
      await edge.stop('SIGKILL')
      await pages.close()
      server.stop()
    })
    const { text, binary, stream, broken, failed } = await result
    assert.equal(failed, undefined)
    for (const [answered, missing, late] of [text, binary]) {
      assert.deepEqual(answered, { answer: '7 yes' })
      assert.deepEqual(missing, { code: grpc.status.NOT_FOUND, message: 'nobody ä' })
      assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED)
    }
    assert.deepEqual(stream, { got: ['1', '2', '3'], code: grpc.status.OK, message: 'OK' })
    assert.deepEqual(broken, { got: ['1', '2', '3'], code: grpc.status.ABORTED, message: 'half way' })
  },
)
