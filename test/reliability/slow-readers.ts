import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import { SlowReader } from '../harness/slow-reader.ts'

const MIB = 1_048_576

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1]) * 1024
}

/**
 * Many clients ask for bodies far larger than they will ever read, at 1 KB a second. What each costs is bounded by the
 * buffers of its connection, and all is given back when they leave.
 * @throws AssertionError where memory grows by more than 50 MB, or another client waits
 */
export async function readSlowly(options: {
  readonly clients: number
  readonly bodyBytes: number
  readonly seconds: number
}): Promise<void> {
  const piece = Buffer.alloc(65_536, 'x')
  let open = 0
  const service = http.createServer((request, response) => {
    if (request.url === '/small') {
      response.end('small')
      return
    }
    open++
    response.on('close', () => open--)
    if (request.url === '/length') response.setHeader('content-length', options.bodyBytes)
    let left = options.bodyBytes
    const fill = (): void => {
      while (left > 0) {
        left -= piece.length
        if (!response.write(left < 0 ? piece.subarray(0, left + piece.length) : piece)) return
      }
      response.end()
    }
    response.on('drain', fill)
    fill()
  })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const { port } = service.address() as AddressInfo // it listens on TCP
  const outrigger = await Outrigger.start(routeTo(port) + 'admin: { address: 127.0.0.1:0 }\n')
  const readers: SlowReader[] = []
  try {
    const quick = await RawClient.connect(outrigger.port('in'))
    for (let i = 0; i < 200; i++) await quick.ask('GET /small HTTP/1.1\r\nhost: a\r\n\r\n')
    const before = residentBytes(outrigger.pid)
    for (let i = 0; i < options.clients; i++) {
      const path = i % 2 === 0 ? '/length' : '/chunked'
      const request = `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`
      readers.push(await SlowReader.send(outrigger.port('in'), request, 1024, 1000))
    }
    let most = 0
    let slowest = 0
    const end = performance.now() + options.seconds * 1000
    while (performance.now() < end) {
      const begun = performance.now()
      const answer = await quick.ask('GET /small HTTP/1.1\r\nhost: a\r\n\r\n')
      assert.equal(answer.status, 200)
      // Until the kernel's buffers are full, hundreds of megabytes go through the test and the proxy.
      if (begun > end - options.seconds * 500) slowest = Math.max(slowest, performance.now() - begun)
      most = Math.max(most, residentBytes(outrigger.pid) - before)
      await pause(50)
    }
    assert.ok(readers.every(reader => !reader.closed && reader.bytesRead >= 1024))
    assert.equal(open, options.clients)
    assert.ok(most < 50 * MIB, `memory grew by ${(most / MIB).toFixed(1)} MiB`)
    assert.ok(slowest < 1000, `another client waited ${slowest.toFixed(0)} ms`)
    for (const reader of readers) reader.destroy()
    // The upstream hears that nobody reads any more.
    const gone = performance.now() + 5000
    const closed = (): boolean => open === 0
    while (!closed() && performance.now() < gone) await pause(20)
    assert.equal(open, 0)
    assert.equal((await quick.ask('GET /small HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
    quick.destroy()
  } finally {
    for (const reader of readers) reader.destroy()
    await outrigger.stop('SIGKILL')
    service.closeAllConnections()
    service.close()
    await once(service, 'close')
  }
}
