import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type InProcess, turns } from './in-process.ts'
import type { RawConnection } from './raw-connection.ts'

const BYTES = 24_000_000

/**
 * Sends a lot to a side that reads nothing, then lets it read: what waits meanwhile lies in the kernel and in a buffer of
 * ours, and nothing is lost.
 */
export async function stopsTheOther(
  proxy: InProcess,
  from: Pick<RawConnection, 'send' | 'socket'>,
  to: Pick<RawConnection, 'read' | 'socket'>,
): Promise<void> {
  const bytes = Buffer.alloc(BYTES, Math.random().toString(36))
  to.socket.pause()
  from.send(bytes)
  let before = -1
  // Until nothing moves any more.
  for (let still = 0; still < 30; still = from.socket.writableLength === before ? still + 1 : 0) {
    before = from.socket.writableLength
    await turns(10)
  }
  assert.ok(from.socket.writableLength > 4_000_000, `${from.socket.writableLength} wait at the sender`)
  assert.ok(proxy.service.budget.used < 1_000_000, `${proxy.service.budget.used} are held`)
  to.socket.resume()
  const read = await to.read(bytes.length, 20_000)
  const digest = (one: Buffer): string => createHash('sha1').update(one).digest('hex')
  assert.equal(digest(read), digest(bytes))
}
