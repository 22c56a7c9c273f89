// R3: connections are cut at every moment of a request; no request of a method that may do harm twice reaches the service
// a second time, and none that may be repeated fails where a repetition could have helped.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { seededRandom } from '../../sidecar/runtime/random.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'POST']
const HARMFUL = new Set(['POST', 'PATCH'])
const REQUESTS = 1500
const CLIENTS = 24

/** When the service closes a connection, in the order of a request's life. */
const MOMENTS = [
  'accept',
  'line',
  'head',
  'body',
  'partial head',
  'whole head',
  'half body',
  'after',
] as const
type Moment = (typeof MOMENTS)[number] | 'never'

/** A service that counts every request of which it saw the first line, and cuts where chance says so. */
class Cutter {
  readonly seen = new Map<string, number>()
  readonly cuts = new Map<Moment, number>()
  readonly server: net.Server
  readonly #random = seededRandom(3)
  readonly #sockets = new Set<Socket>()

  constructor() {
    this.server = net.createServer({ noDelay: true }, socket => this.#serve(socket))
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let moment = this.#draw()
    if (moment === 'accept') return this.#cut(socket, moment)
    let text = ''
    let counted = false
    socket.on('data', bytes => {
      text += bytes.toString('latin1')
      const line = /^(\S+) (\S+) /.exec(text)
      if (line === null) return
      if (!counted) {
        counted = true
        const id = `${line[1]} ${line[2]}`
        this.seen.set(id, (this.seen.get(id) ?? 0) + 1)
      }
      if (moment === 'line') return this.#cut(socket, moment)
      const end = text.indexOf('\r\n\r\n')
      if (end === -1) return
      if (moment === 'head') return this.#cut(socket, moment)
      const length = Number(/\r\ncontent-length: (\d+)/.exec(text)?.[1] ?? 0)
      if (text.length < end + 4 + length) return
      text = ''
      counted = false
      if (moment === 'body') return this.#cut(socket, moment)
      if (moment === 'partial head') return this.#cut(socket, moment, 'HTTP/1.1 200 OK\r\ncontent-le')
      if (moment === 'whole head')
        return this.#cut(socket, moment, 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n')
      if (moment === 'half body')
        return this.#cut(socket, moment, 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok')
      const whole = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nokok'
      if (moment === 'after') return this.#cut(socket, moment, whole)
      socket.write(whole)
      moment = this.#draw()
    })
  }

  #draw(): Moment {
    return this.#random() < 0.5 ? 'never' : (MOMENTS[Math.floor(this.#random() * MOMENTS.length)] ?? 'never')
  }

  #cut(socket: Socket, moment: Moment, last = ''): void {
    this.cuts.set(moment, (this.cuts.get(moment) ?? 0) + 1)
    const hard = this.#random() < 0.5
    if (last === '') {
      if (hard) socket.resetAndDestroy()
      else socket.destroy()
      return
    }
    socket.write(last, () => (hard ? socket.resetAndDestroy() : socket.end()))
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
  }
}

test('R3: cuts at every moment: no POST or PATCH reaches the service twice', async t => {
  const service = new Cutter()
  service.server.listen(0, '127.0.0.1')
  await once(service.server, 'listening')
  const { port } = service.server.address() as AddressInfo // it listens on TCP
  const proxy = await InProcess.start(
    routeTo(port, {
      route: `retry: { count: 3, statuses: [502, 503, 504], methods: [GET, HEAD, OPTIONS, PUT, DELETE], backoff: { from: 1ms, to: 1ms }, budget: { percent: 100, min: 100 } }`,
      upstream: 'outlierDetection: off',
    }),
  )
  t.after(async () => {
    await service.close()
    await proxy.stop()
  })
  const tally = { ok: 0, failed: 0, cut: 0 }
  let next = 0
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      let client = await proxy.connect()
      while (next < REQUESTS) {
        const id = next++
        const method = METHODS[id % METHODS.length] ?? 'GET'
        // Without a body too: then it is not the body that keeps a request from being sent again.
        const bare = method === 'GET' || method === 'DELETE' || id % 4 === 1
        const body = bare ? '\r\n' : 'content-length: 5\r\n\r\nhello'
        try {
          const response = await client.ask(`${method} /${id} HTTP/1.1\r\nhost: a\r\n${body}`, { method })
          tally[response.status === 200 ? 'ok' : 'failed']++
        } catch {
          // A response that broke off after its head.
          tally.cut++
          client.destroy()
          client = await proxy.connect()
        }
      }
      client.destroy()
    }),
  )
  const twice = [...service.seen].filter(([, count]) => count > 1).map(([id]) => id)
  const harmful = twice.filter(id => HARMFUL.has(id.split(' ')[0] ?? ''))
  t.diagnostic(`${REQUESTS} requests, ${JSON.stringify(tally)}, cuts ${JSON.stringify([...service.cuts])}`)
  t.diagnostic(`${twice.length} repeated, of these POST or PATCH: ${harmful.length}`)
  assert.deepEqual(harmful, [])
  assert.ok(twice.length > 50, 'hardly anything was tried again')
  for (const moment of MOMENTS) assert.ok((service.cuts.get(moment) ?? 0) > 5, moment)
})
