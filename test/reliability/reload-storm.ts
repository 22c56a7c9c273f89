import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import { SteadyLoad } from './steady-load.ts'

/** A configuration whose upstream, routes and policies are the same for every number, but for the header that shows it. */
function numbered(port: number, number: number): string {
  return `version: 1
service: storm
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    routes:
      - name: app
        match: { path: / }
        headers: { request: { set: { x-number: "${number}" } } }
        upstream: app
upstreams:
  app: { url: "http://127.0.0.1:${port}" }
admin: { address: 127.0.0.1:0 }
`
}

const WRONG = [
  (text: string) => text.replace('upstream: app', 'upstream: nosuch'),
  (text: string) => text.replace('version: 1', 'version: ['),
  (text: string) => text.slice(0, text.length / 2),
  (text: string) => text.replace('role: inbound', 'role: outside'),
]

/** What came of a storm. */
export interface StormOutcome {
  readonly valid: number
  /** Valid changes that a request has met. */
  readonly seen: number
  readonly load: Awaited<ReturnType<SteadyLoad['stop']>>
  /** Bytes of heap that were in use at the least, in the second and in the last third. */
  readonly heap: readonly [number, number]
  readonly echoed: number
  /** Connections that the proxy opened to the upstream. */
  readonly upstreamConnections: number
}

/**
 * Changes the configuration ten times a second, one of five wrongly, under a load, with a tunnel that stays.
 * @param rate requests a second
 */
export async function storm(rate: number, seconds: number): Promise<StormOutcome> {
  const tunnels = new Set<Socket>()
  let upstreamConnections = 0
  const service = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) =>
    response.end(String(request.headers['x-number'])),
  )
  service.on('connection', () => upstreamConnections++)
  service.on('upgrade', (_request, socket: Socket) => {
    tunnels.add(socket)
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    socket.pipe(socket)
  })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const { port } = service.address() as AddressInfo // it listens on TCP
  const outrigger = await Outrigger.start(numbered(port, 0))
  const seen = new Set<number>()
  const load = new SteadyLoad(outrigger.port('in'), rate, { seen: body => seen.add(Number(body)) })
  const tunnel = await RawClient.connect(outrigger.port('in'))
  try {
    tunnel.send(
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
        'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    assert.match(await tunnel.readUntil('\r\n\r\n'), /^HTTP\/1\.1 101 /)
    const begun = performance.now()
    const valid: number[] = []
    const heap: [number, number] = [Infinity, Infinity]
    let echoed = 0
    for (let change = 1; performance.now() - begun < seconds * 1000; change++) {
      const next = begun + change * 100
      const text = numbered(port, change)
      if (change % 5 === 0) outrigger.write(WRONG[(change / 5) % WRONG.length]?.(text) ?? '')
      else {
        outrigger.write(text)
        valid.push(change)
      }
      tunnel.send(`${change};`)
      await tunnel.readUntil(`${change};`)
      echoed++
      if (change % 5 === 0) {
        const used = await heapUsed(outrigger.adminPort)
        const third = Math.floor(((performance.now() - begun) / (seconds * 1000)) * 3)
        if (third >= 1) heap[third === 1 ? 0 : 1] = Math.min(heap[third === 1 ? 0 : 1], used)
      }
      await pause(Math.max(0, next - performance.now()))
    }
    // The last valid one wins in the end, whatever was in between.
    const last = numbered(port, 1_000_000)
    outrigger.write(last)
    const deadline = performance.now() + 5000
    while (!seen.has(1_000_000) && performance.now() < deadline) await pause(20)
    assert.ok(
      seen.has(1_000_000),
      `the last change is not served; its log:\n${outrigger.stderr.slice(-3000)}`,
    )
    const outcome = await load.stop()
    return {
      valid: valid.length,
      seen: valid.filter(number => seen.has(number)).length,
      load: outcome,
      heap,
      echoed,
      upstreamConnections,
    }
  } finally {
    await load.stop()
    tunnel.destroy()
    await outrigger.stop('SIGKILL')
    for (const socket of tunnels) socket.destroy()
    service.closeAllConnections()
    service.close()
    await once(service, 'close')
  }
}

async function heapUsed(adminPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  return Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(text)?.[1] ?? NaN)
}
