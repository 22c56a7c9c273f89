import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { freePort } from '../harness/free-port.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import { SlowService, SteadyLoad } from './steady-load.ts'

test('kill -9 under load: the next process serves the same address within a second, whatever the first left', async () => {
  const service = await SlowService.listen(() => 5)
  const port = await freePort()
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-killed-'))
  const socket = path.join(folder, 'in.sock')
  // A Unix socket as well: its file stays behind.
  const yaml =
    routeTo(service.port)
      .replace('127.0.0.1:0', `127.0.0.1:${port}`)
      .replace(
        'upstreams:',
        `  - { name: local, role: inbound, address: "unix:${socket}", upstream: app }\nupstreams:`,
      ) + 'admin: { address: 127.0.0.1:0 }\n'
  const times: number[] = []
  let outrigger = await Outrigger.start(yaml)
  try {
    for (let i = 0; i < 3; i++) {
      const load = new SteadyLoad(port, 200)
      await pause(300)
      outrigger.signal('SIGKILL')
      await outrigger.exit()
      await outrigger.stop()
      const begun = performance.now()
      outrigger = await Outrigger.start(yaml)
      times.push(performance.now() - begun)
      const unix = await RawClient.connect({ path: socket })
      assert.equal((await unix.ask('GET / HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
      unix.destroy()
      const before = load.sent
      while (load.sent < before + 50) await pause(10)
      const outcome = await load.stop()
      // Peers see refused connections, and those that were cut; nobody hangs or gets half an answer as a whole one.
      const others = Object.keys(outcome.failed).filter(
        why => !/^ECONNRESET|^socket hang up|^cut: aborted/.test(why),
      )
      assert.deepEqual(others, [], JSON.stringify(outcome))
      assert.ok(outcome.ok > 20, JSON.stringify(outcome))
    }
    // The target is a second; three of them on a machine that is shared.
    assert.ok(Math.min(...times) < 3000, `ready after ${times.map(Math.round).join(', ')} ms`)
  } finally {
    await outrigger.stop('SIGKILL')
    await service.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
