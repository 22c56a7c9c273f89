import type { ConnectionWaiter, OutgoingConnection } from '../../exchange/outgoing.ts'
import type { ProxyError } from '../../exchange/proxy-error.ts'
import type { SessionPool, SessionPoolParts } from '../../http2/session-pool.ts'
import type { Check, CheckOwner, CheckParts } from './check.ts'
import { HttpQuestion } from './http-question.ts'
import { ownSession } from './own-session.ts'

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
    this.#pool = ownSession(parts.target, sessions)
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
