import type { ConnectionWaiter, OutgoingConnection } from '../../exchange/outgoing.ts'
import type { ProxyError } from '../../exchange/proxy-error.ts'
import { SessionPool, type SessionPoolParts } from '../../http2/session-pool.ts'
import { SessionQuota } from '../../http2/session-quota.ts'
import type { Check, CheckOwner, CheckParts } from './check.ts'
import { HttpQuestion } from './http-question.ts'

/** How long its session may take to stand, and is kept without a stream; the check's own clock is shorter or ends both. */
const LONG_MS = 3_600_000

/** The same question as `HttpCheck`'s over HTTP/2, on a session of its own. */
export class Http2Check implements Check, ConnectionWaiter {
  readonly #pool: SessionPool
  readonly #question: HttpQuestion
  #owner: CheckOwner | null
  #connection: OutgoingConnection | null = null

  /** @param statuses that count as well; empty: 200 to 299 */
  constructor(
    parts: CheckParts,
    path: string,
    statuses: readonly number[],
    owner: CheckOwner,
    sessions: SessionPoolParts,
  ) {
    this.#question = new HttpQuestion(path, parts.host, statuses, parts.buffers, fault => this.#end(fault))
    this.#owner = owner
    this.#pool = new SessionPool(
      parts.target,
      { connect: LONG_MS, keepAlive: LONG_MS },
      { connectsOpened: 0, connectsFailed: 0 },
      new SessionQuota(),
      sessions,
    )
    this.#pool.acquire(this, false)
  }

  abort(): void {
    this.#owner = null
    this.#connection?.abort(this.#question)
    this.#pool.cancel(this)
    this.#pool.close()
  }

  onConnection(connection: OutgoingConnection): void {
    this.#connection = connection
    connection.send(this.#question, this.#question)
  }

  onNoConnection(error: ProxyError): void {
    this.#question.onFailure(error)
  }

  #end(fault: string): void {
    const owner = this.#owner
    this.abort()
    owner?.onResult(fault)
  }
}
