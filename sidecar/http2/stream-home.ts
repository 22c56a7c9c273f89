import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import type { ByteQueue } from './byte-queue.ts'
import type { Output } from './output.ts'
import type { PeerSettings } from './peer-settings.ts'
import type { Scheduler } from './scheduler.ts'
import type { SessionLimits } from './session-limits.ts'

/** What a stream needs of its session to send. */
export interface SendingHome {
  readonly side: 'server' | 'client'
  /** The present, up to a tick of the wheel. */
  readonly now: number
  /** How many frames came. */
  readonly frames: number
  readonly peer: PeerSettings
  readonly output: Output
  readonly scheduler: Scheduler
  readonly limits: SessionLimits
  readonly channel: { readonly buffers: ReadBuffers }
  newQueue(): ByteQueue
  /** Writes a header block. @returns where its flags stand in the output */
  writeBlock(id: number, list: HeaderList, flags: number, guarded: readonly string[] | null): number
}

/** What else it needs: a window for what comes, an id, and an end. */
export interface StreamHome<S> extends SendingHome {
  readonly streamWindow: number
  readonly table: { number(stream: S): number }
  readonly ends: {
    finish(stream: S): void
    breakOff(stream: S, error: ProxyError): void
    reset(stream: S, code: number, error: ProxyError, tell: boolean): void
  }
}
