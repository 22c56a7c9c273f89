import { ClientConnection } from '../../http1/client-connection.ts'
import type { ConnectionHome } from '../../http1/outgoing.ts'
import type { Channel, ChannelOwner } from '../../runtime/channel.ts'
import { connectChannel } from '../../runtime/connect-channel.ts'
import type { Check, CheckOwner, CheckParts } from './check.ts'
import { HttpQuestion } from './http-question.ts'

/** Whether a GET is answered with a status that counts as well, read as strictly as every response. */
export class HttpCheck implements Check, ChannelOwner, ConnectionHome {
  readonly #channel: Channel
  readonly #question: HttpQuestion
  #owner: CheckOwner | null
  #connection: ClientConnection | null = null

  /** @param statuses that count as well; empty: 200 to 299 */
  constructor(parts: CheckParts, path: string, statuses: readonly number[], owner: CheckOwner) {
    this.#question = new HttpQuestion(path, parts.host, statuses, parts.buffers, fault => this.#end(fault))
    this.#question.headers.push('connection', 'close')
    this.#owner = owner
    this.#channel = connectChannel(parts.target, parts.buffers, () => this.#ask())
    this.#channel.owner = this
  }

  abort(): void {
    this.#owner = null
    if (this.#connection === null) this.#channel.destroy()
    else this.#connection.abort(this.#question)
  }

  #ask(): void {
    if (this.#owner === null) return
    this.#connection = new ClientConnection(this.#channel, this)
    this.#connection.send(this.#question, this.#question)
  }

  // While it connects; then the connection owns the channel.
  onClose(code: string): void {
    this.#end(code === '' ? 'closed' : code)
  }
  onBytes(): void {
    this.#end('spoke first')
  }
  onEnd(): void {
    this.#end('closed')
  }
  onDrain(): void {}

  onReusable(): void {
    this.#connection?.abort(null)
  }
  onGone(): void {}

  #end(fault: string): void {
    const owner = this.#owner
    this.abort()
    owner?.onResult(fault)
  }
}
