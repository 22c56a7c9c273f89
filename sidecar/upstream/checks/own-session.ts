import { SessionPool, type SessionPoolParts } from '../../http2/session-pool.ts'
import { SessionQuota } from '../../http2/session-quota.ts'
import type { Destination } from '../../runtime/destination.ts'

/** How long it may take to stand, and is kept without a stream: the check's own clock is shorter, and ends both. */
const LONG_MS = 3_600_000

/** Where a check over HTTP/2 gets its session, which it shares with nobody. Closed with the check. */
export function ownSession(target: Destination, parts: SessionPoolParts): SessionPool {
  const settings = { connect: LONG_MS, keepAlive: LONG_MS }
  return new SessionPool(
    target,
    settings,
    { connectsOpened: 0, connectsFailed: 0 },
    new SessionQuota(),
    parts,
  )
}
