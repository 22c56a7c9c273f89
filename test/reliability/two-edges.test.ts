import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import type { RunningProgram } from '../harness/programs.ts'
import { startHaproxy } from '../harness/programs.ts'
import { freePort } from '../harness/free-port.ts'
import { SteadyLoad } from './steady-load.ts'

// Two edges behind HAProxy, which asks each for its readiness: what docs/deployment.md says of several edges.

const RATE = 150
const UNREAD = 8
const NAMES = ['a', 'b'] as const

type Name = (typeof NAMES)[number]

/** A service that takes a tenth of a second, and knows which edge it works for. */
class Service {
  readonly working: Record<Name, number> = { a: 0, b: 0 }
  readonly answered: Record<Name, number> = { a: 0, b: 0 }
  readonly #server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const edge = request.headers['x-edge'] === 'a' ? 'a' : 'b'
    this.working[edge]++
    response.on('close', () => this.working[edge]--)
    setTimeout(() => {
      this.answered[edge]++
      response.end('answer')
    }, 100)
  })

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port // it listens on TCP
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

interface Pair {
  readonly service: Service
  readonly edges: Readonly<Record<Name, Outrigger>>
  readonly balancer: RunningProgram
}

describe('two edges behind HAProxy', { ...needs('haproxy'), concurrency: true }, () => {
  test('one is drained: nothing is lost, and the other takes over', async () => {
    await withPair(async ({ service, edges, balancer }) => {
      const load = new SteadyLoad(balancer.port, RATE)
      await pause(1000)
      edges.a.signal('SIGTERM')
      const exit = await edges.a.exit()
      const before = service.answered.b
      await pause(500)
      const outcome = await load.stop()
      assert.deepEqual(exit, { code: 0, signal: null })
      assert.deepEqual({ failed: outcome.failed, refused: outcome.refused }, { failed: {}, refused: 0 })
      assert.equal(outcome.ok, outcome.sent)
      assert.ok(service.answered.a > 20, 'both were in use')
      assert.ok(service.answered.b - before > 20, 'the other went on')
    })
  })

  test('one is killed: only what it was carrying is lost', async () => {
    await withPair(async ({ service, edges, balancer }) => {
      const load = new SteadyLoad(balancer.port, RATE)
      await pause(1500)
      const carried = service.working.a
      edges.a.signal('SIGKILL')
      await edges.a.exit()
      await pause(1500)
      const outcome = await load.stop()
      const lost = outcome.sent - outcome.ok
      assert.ok(carried > 0)
      assert.equal(outcome.refused, 0)
      // What the balancer had written, and the edge not yet read, is carried too. Without the second try at the other
      // edge the balancer would lose half of what comes until it asks for readiness again, a second later.
      assert.ok(
        lost > 0 && lost <= carried + UNREAD,
        `${lost} lost of ${carried} carried: ${JSON.stringify(outcome)}`,
      )
      for (const why of Object.keys(outcome.failed))
        assert.match(why, /^502 |^ECONNRESET on a kept connection$/)
    })
  })
})

async function withPair(call: (pair: Pair) => Promise<void>): Promise<void> {
  const service = new Service()
  const port = await service.listen()
  const started: Outrigger[] = []
  let balancer: RunningProgram | null = null
  try {
    const probes = { a: await freePort(), b: await freePort() }
    const start = async (name: Name): Promise<Outrigger> => {
      const edge = await Outrigger.start(configuration(name, port, probes[name]))
      started.push(edge)
      return edge
    }
    const edges = { a: await start('a'), b: await start('b') }
    const servers = NAMES.map(
      name =>
        `  server ${name} 127.0.0.1:${edges[name].port('public')} check port ${probes[name]} inter 1s fall 1 rise 1`,
    )
    balancer = await startHaproxy(`listen edges
  bind 127.0.0.1:$port
  option httpchk GET /readyz
  option redispatch
  retries 3
${servers.join('\n')}`)
    await call({ service, edges, balancer })
  } finally {
    await balancer?.stop()
    await Promise.all(started.map(edge => edge.stop('SIGKILL')))
    await service.close()
  }
}

function configuration(name: Name, port: number, probes: number): string {
  return `version: 1
service: edge-${name}
listeners:
  - name: public
    role: edge
    address: 127.0.0.1:0
    routes:
      - name: all
        headers: { request: { set: { x-edge: ${name} } } }
        upstream: service
upstreams:
  service: { url: "http://127.0.0.1:${port}" }
admin: { address: "127.0.0.1:0", probes: "127.0.0.1:${probes}" }
`
}
