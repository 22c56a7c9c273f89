import type { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { PeerSettings } from './peer-settings.ts'
import type { SessionOwner, SessionParts, StreamOwner } from './session-parts.ts'
import type { Stream } from './stream.ts'

/** One connection of HTTP/2 (RFC 9113), either side. Knows frames, streams, windows and limits, and no HTTP. (Skeleton.) */
export class Session implements ChannelOwner {
  readonly side: 'server' | 'client'
  readonly peer = new PeerSettings()
  readonly parts: SessionParts
  readonly owner: SessionOwner
  readonly #channel: Channel

  constructor(channel: Channel, side: 'server' | 'client', parts: SessionParts, owner: SessionOwner) {
    this.#channel = channel
    this.side = side
    this.parts = parts
    this.owner = owner
  }

  /**
   * Begins: sets itself as the channel's owner and starts it. Server: expects the preface; client: sends it with SETTINGS.
   * @param first what was read already: valid until this returns
   */
  start(first: Buffer | null = null): void {
    void first
    this.#channel.owner = this
  }

  /** Open streams. */
  get streams(): number {
    return 0
  }

  /** Client: how many more streams may be opened now; 0 once it closes. */
  get room(): number {
    return 0
  }

  /** Whether anything came from the peer since it stands: settings at least. */
  get settled(): boolean {
    return false
  }

  /** Client: a new stream, or null where there is no room. Its id is given with its first header block. */
  open(owner: StreamOwner): Stream | null {
    void owner
    return null
  }

  /**
   * Says GOAWAY: open streams go on, and with the last of them the session closes. With NO_ERROR a server says it in two
   * steps (section 6.8), so that no request that is on its way is lost.
   */
  goaway(code: number): void {
    void code
  }

  /** Closes now; every stream hears the error. */
  destroy(error: ProxyError): void {
    void error
  }

  onBytes(): void {}
  onEnd(): void {}
  onDrain(): void {}
  onClose(): void {}
}
