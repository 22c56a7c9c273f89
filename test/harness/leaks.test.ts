import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { watchLeaks } from './leaks.ts'

test('nothing left is nothing said, and a close under way is waited for', async () => {
  const leaks = watchLeaks(() => ({ registry: { size: 0 }, budget: { used: 0 }, generations: () => 1 }))
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.close()
  await leaks()
})

test('a server, a timer and live state that stay are named', async () => {
  const leaks = watchLeaks(() => ({
    registry: { size: 1, keys: () => ['["pool","a"]'] },
    budget: { used: 65_536 },
    timers: { size: 2 },
    buffers: { held: 1 },
    generations: () => 2,
  }))
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const timer = setTimeout(() => undefined, 60_000)
  try {
    await assert.rejects(
      leaks(),
      /1 TCPServerWrap; 1 Timeout; registry: .*pool.*; memory budget: 65536 bytes; timer wheel: 2 timers; read buffers: 1; 2 generations/s,
    )
  } finally {
    clearTimeout(timer)
    server.close()
  }
})
