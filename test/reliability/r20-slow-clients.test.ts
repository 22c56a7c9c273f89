import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { SlowService, SteadyLoad, type LoadOutcome } from './steady-load.ts'

const RATE = 200
const CLIENTS = 1000

/** Clients that send a request head of 10,000 bytes, one byte a second, and come back when they are sent away. */
class Slowloris {
  #sockets = new Set<net.Socket>()
  readonly #port: number
  readonly #count: number
  readonly #timer: NodeJS.Timeout
  #begun = 0
  #over = false
  #turn = 0
  /** How many were sent away. */
  closed = 0

  constructor(port: number, count: number) {
    this.#port = port
    this.#count = count
    // A hundredth of them at a time, so that they come, send and are sent away at an even rate.
    this.#timer = setInterval(() => this.#drip(), 10)
  }

  get open(): number {
    return this.#begun
  }

  stop(): void {
    this.#over = true
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
  }

  #drip(): void {
    this.#turn = (this.#turn + 1) % 100
    for (let i = 0; i < this.#count / 100 && this.#sockets.size < this.#count; i++) this.#open()
    let at = 0
    for (const socket of this.#sockets) if (at++ % 100 === this.#turn) socket.write('a')
  }

  #open(): void {
    const socket = net.connect({ port: this.#port, host: '127.0.0.1' })
    this.#sockets.add(socket)
    socket.on('connect', () => {
      this.#begun++
      socket.write('GET / HTTP/1.1\r\nhost: a\r\nx-slow: ')
    })
    socket.on('error', () => {})
    socket.resume()
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (this.#over) return
      this.closed++
    })
  }
}

/** What 200 requests a second see for some time. */
async function load(port: number, seconds: number): Promise<LoadOutcome> {
  const steady = new SteadyLoad(port, RATE)
  await pause(seconds * 1000)
  return steady.stop()
}

test('R20: beside 1,000 clients that send a byte a second, 200 requests a second are served without an error', async t => {
  const service = await SlowService.listen(() => 5)
  t.after(() => service.close())
  const outrigger = await Outrigger.start(
    routeTo(service.port, { listener: 'connection: { head: 3s }' }).replace(
      'accessLog: on',
      'accessLog: off',
    ),
  )
  const port = outrigger.port('in')
  let slow: Slowloris | null = null
  try {
    await load(port, 1)
    const alone = await load(port, 3)
    slow = new Slowloris(port, CLIENTS)
    while (slow.open < CLIENTS) await pause(20)
    const beside = await load(port, 5)
    t.diagnostic(`alone: ${alone.ok} served, p99 ${alone.p99.toFixed(1)} ms`)
    t.diagnostic(`beside ${CLIENTS} slow clients: ${beside.ok} served, p99 ${beside.p99.toFixed(1)} ms`)
    t.diagnostic(`p99 ${(beside.p99 / alone.p99).toFixed(2)} x; ${slow.closed} slow clients were sent away`)
    assert.deepEqual(beside.failed, {})
    assert.equal(beside.refused, 0)
    assert.ok(beside.ok >= RATE * 4.5, `${beside.ok} were served`)
    assert.ok(slow.closed >= CLIENTS / 2, `only ${slow.closed} were sent away: a head has 3 s here`)
    // Other tests share this machine, and both figures are of its worst moments: far above is what must not be.
    assert.ok(beside.p99 < Math.max(500, alone.p99 * 5), `p99 ${beside.p99} ms, alone ${alone.p99} ms`)
  } finally {
    slow?.stop()
    await outrigger.stop('SIGKILL')
  }
})
