import { NO_BODY, type BodySink, type BodySource } from '../../exchange/body.ts'
import type { ResponseHead, ResponseTaker } from '../../exchange/outgoing.ts'
import type { ProxyError } from '../../exchange/proxy-error.ts'
import { ClientConnection } from '../../http1/client-connection.ts'
import type { ConnectionHome } from '../../http1/outgoing.ts'
import { Channel, type ChannelOwner } from '../../runtime/channel.ts'
import type { ReadBuffers } from '../../runtime/read-buffers.ts'
import type { Check, CheckOwner, CheckParts } from './check.ts'

/** More of a body than this is not waited for: the status has said it. */
const MOST_BYTES = 65_536

/** Whether a GET is answered with a status that counts as well, read as strictly as every response. */
export class HttpCheck implements Check, ChannelOwner, ConnectionHome, ResponseTaker {
  readonly #channel: Channel
  readonly #parts: CheckParts
  readonly #path: string
  readonly #statuses: readonly number[]
  #owner: CheckOwner | null
  #connection: ClientConnection | null = null

  /** @param statuses that count as well; empty: 200 to 299 */
  constructor(parts: CheckParts, path: string, statuses: readonly number[], owner: CheckOwner) {
    this.#parts = parts
    this.#path = path
    this.#statuses = statuses
    this.#owner = owner
    this.#channel = Channel.connect(parts.target, parts.buffers, () => this.#ask())
    this.#channel.owner = this
  }

  abort(): void {
    this.#owner = null
    if (this.#connection === null) this.#channel.destroy()
    else this.#connection.abort(this)
  }

  #ask(): void {
    if (this.#owner === null) return
    this.#connection = new ClientConnection(this.#channel, this)
    this.#connection.send(
      {
        method: 'GET',
        target: this.#path,
        host: this.#parts.host,
        headers: ['user-agent', 'outrigger', 'connection', 'close'],
        body: NO_BODY,
        tunnel: null,
        expectsContinue: false,
      },
      this,
    )
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

  onResponse(head: ResponseHead, body: BodySource): void {
    const { status } = head
    const well = this.#statuses.length === 0 ? status >= 200 && status < 300 : this.#statuses.includes(status)
    // The rest is read, so that the service does not see its answer cut off.
    body.start(new Rest(this.#parts.buffers, () => this.#end(well ? '' : `status ${status}`)))
  }

  onFailure(error: ProxyError): void {
    if (error.reason === 'upstream_bad_response') this.#end(`bad response: ${error.cause}`)
    else this.#end(error.cause === '' || error.cause === 'ended' ? 'closed' : error.cause)
  }

  onInformational(): void {}
  onRequestSent(): void {}

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

/** What is read of a body that nobody needs. */
class Rest implements BodySink {
  readonly #buffers: ReadBuffers
  readonly #done: () => void
  #bytes = 0

  constructor(buffers: ReadBuffers, done: () => void) {
    this.#buffers = buffers
    this.#done = done
  }

  chunk(bytes: Buffer, owned: boolean): boolean {
    this.#bytes += bytes.length
    if (owned) this.#buffers.release(bytes)
    if (this.#bytes > MOST_BYTES) this.#done()
    return true
  }

  end(): void {
    this.#done()
  }

  /** It broke off, but its status came. */
  abort(): void {
    this.#done()
  }
}
