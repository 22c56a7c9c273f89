import { Channel, type ChannelOwner } from '../../runtime/channel.ts'
import type { Check, CheckOwner, CheckParts } from './check.ts'

/** Whether a connection can be opened. Nothing is sent. */
export class TcpCheck implements Check, ChannelOwner {
  readonly #channel: Channel
  #owner: CheckOwner | null

  constructor(parts: CheckParts, owner: CheckOwner) {
    this.#owner = owner
    this.#channel = Channel.connect(parts.target, parts.buffers, () => this.#end(''))
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

  #end(fault: string): void {
    const owner = this.#owner
    this.abort()
    owner?.onResult(fault)
  }
}
