import type { Channel, ChannelOwner } from '../../runtime/channel.ts'
import { connectChannel } from '../../runtime/connect-channel.ts'
import type { Check, CheckOwner, CheckParts } from './check.ts'

/** Whether a connection can be opened. Nothing is sent, but for the header with which one has to begin. */
export class TcpCheck implements Check, ChannelOwner {
  readonly #channel: Channel
  #owner: CheckOwner | null

  constructor(parts: CheckParts, owner: CheckOwner) {
    this.#owner = owner
    this.#channel = connectChannel(parts.target, parts.buffers, () =>
      parts.target.preface === undefined ? this.#end('') : this.#endWritten(),
    )
    this.#channel.owner = this
  }

  abort(): void {
    this.#owner = null
    this.#channel.destroy()
  }

  onClose(code: string): void {
    this.#end(code === '' ? 'closed' : code)
  }

  onBytes(): void {}
  onEnd(): void {}
  onDrain(): void {}

  /** The header waits in the socket, and a service that misses it would complain about each check. */
  #endWritten(): void {
    const channel = this.#channel
    channel.socket.once('finish', () => this.#end(''))
    channel.end()
  }

  #end(fault: string): void {
    const owner = this.#owner
    this.abort()
    owner?.onResult(fault)
  }
}
