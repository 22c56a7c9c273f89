import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { askOnce } from '../harness/raw-client.ts'
import { residentBytes } from './slow-readers.ts'

const MIB = 1_048_576
const CLIENTS = 2000

/** What floods: each is sent on a connection of its own, as much of it as is taken. */
const FLOOD: readonly (() => Buffer)[] = [
  // Heads that never end, as long as they may be.
  () => Buffer.from(`GET / HTTP/1.1\r\nhost: a\r\nx-long: ${'a'.repeat(16_000)}`),
  // Uploads that the service never reads.
  () =>
    Buffer.concat([Buffer.from('POST /deaf HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000\r\n\r\n'), BODY]),
  // Bodies that are kept for a retry, and end just before they are whole.
  () =>
    Buffer.concat([
      Buffer.from('PUT /deaf HTTP/1.1\r\nhost: a\r\ncontent-length: 65000\r\n\r\n'),
      BODY.subarray(0, 64_000),
    ]),
  // Large answers that are never read.
  () => Buffer.from('GET /large HTTP/1.1\r\nhost: a\r\n\r\n'),
  // Requests behind one that is not answered.
  () => Buffer.from('GET /deaf HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(400)),
]
const BODY = Buffer.alloc(500_000, 'x')

/**
 * What counts against a limit until a process is killed for it: memory that no file backs. The program's own pages are
 * resident too, but the kernel drops and reads them again where there is need.
 */
function unreclaimableBytes(pid: number): number {
  const found = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1]) * 1024
}

/** Floods one that sees so much memory, and answers how many requests and connections it refused for it. */
async function flood(t: TestContext, mebibytes: number): Promise<number> {
  const service = http.createServer((request, response) => {
    if (request.url === '/large') response.end(BODY)
    else if (request.url !== '/deaf') response.end('answer')
    else request.pause()
  })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.after(() => {
    service.closeAllConnections()
    service.close()
  })
  const { port } = service.address() as AddressInfo // it listens on TCP
  const outrigger = await Outrigger.start(
    routeTo(port, { upstream: 'limits: { inFlight: 5000 }' }).replace('accessLog: on', 'accessLog: off') +
      'admin: { address: 127.0.0.1:0 }\n',
    {
      entry: path.join(import.meta.dirname, 'small-machine.ts'),
      env: { SMALL_MACHINE_BYTES: String(mebibytes * MIB) },
    },
  )
  const sockets: net.Socket[] = []
  let reset = 0
  try {
    const calm = residentBytes(outrigger.pid)
    let most = 0
    let taken = 0
    const look = (): void => {
      most = Math.max(most, residentBytes(outrigger.pid))
      taken = Math.max(taken, unreclaimableBytes(outrigger.pid))
    }
    for (let i = 0; i < CLIENTS; i++) {
      const socket = net.connect({ port: outrigger.port('in'), host: '127.0.0.1' })
      // Where memory is short, connections are refused too.
      socket.on('error', () => reset++)
      socket.on('connect', () => socket.write(FLOOD[i % FLOOD.length]?.() ?? ''))
      sockets.push(socket)
      // Paused: what is answered is not read.
      if (i % 50 === 49) {
        await pause(20)
        look()
      }
    }
    for (let i = 0; i < 20; i++) {
      await pause(100)
      look()
    }
    const health = await askOnce(
      outrigger.adminPort,
      'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
    )
    assert.equal(health.status, 200)
    const metrics = await askOnce(
      outrigger.adminPort,
      'GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
    )
    const shed = [...String(metrics.body).matchAll(/^outrigger_shed_total\{cause="(\w+)"\} (\d+)$/gm)]
      .map(([, cause, count]) => `${cause} ${count}`)
      .join(', ')
    t.diagnostic(
      `resident: calm ${(calm / MIB).toFixed(0)} MiB, flooded at most ${(most / MIB).toFixed(0)} of ${mebibytes} MiB, of which the kernel could not take back ${(taken / MIB).toFixed(0)}`,
    )
    const refused = reset + Number(/memory (\d+)/.exec(shed)?.[1] ?? 0)
    t.diagnostic(`refused: ${shed}; connections ${reset}`)
    assert.ok(taken < mebibytes * MIB, `${(taken / MIB).toFixed(0)} MiB were taken`)
    for (const socket of sockets) socket.destroy()
    const deadline = performance.now() + 10_000
    let status = 0
    while (status !== 200 && performance.now() < deadline) {
      status = await askOnce(
        outrigger.port('in'),
        'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
      ).then(
        response => response.status,
        () => 0,
      )
      if (status !== 200) await pause(100)
    }
    await pause(2000)
    t.diagnostic(`afterwards: ${(residentBytes(outrigger.pid) / MIB).toFixed(0)} MiB`)
    assert.equal(status, 200, 'it serves when the flood is over')
    return refused
  } finally {
    for (const socket of sockets) socket.destroy()
    await outrigger.stop('SIGKILL')
  }
}

test('R13: flooded where there are 256 MiB, it stays below, and serves afterwards', async t => {
  await flood(t, 256)
})

test('R13: where there is less room than the flood takes, requests are refused before it is gone', async t => {
  assert.ok((await flood(t, 150)) > 10, 'hardly any was refused')
})
