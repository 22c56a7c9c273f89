import type { Exchange, Peer } from '../exchange/exchange.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { DateHeader } from '../http1/head-writer.ts'
import type { TcpConnection, TcpHost } from '../proxy/tcp.ts'
import type { Channel } from '../runtime/channel.ts'
import type { LingeringCounters } from '../runtime/lingering.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import type { Entry } from '../snapshot/snapshot.ts'
import type { Log } from '../telemetry/process-log.ts'
import type { ProxyHeaderResult } from '../telemetry/proxy-header-metrics.ts'
import type { AdmissionParts } from './admission.ts'

/** What acceptors share. */
export interface AcceptorParts extends AdmissionParts {
  readonly wheel: TimerWheel
  readonly buffers: ReadBuffers
  readonly budget: MemoryBudget
  readonly date: DateHeader
  readonly lingering: LingeringCounters
  readonly log: Log
  /** Whether connections end with their response because the process is short of memory. */
  readonly overload: { readonly closing: boolean }
  handle(exchange: Exchange): void
  refuse(exchange: Exchange, error: ProxyError): void
  /** The entry of an address in the serving snapshot. */
  entry(key: string): Entry | undefined
  /** Whether an address's proxies are trusted by one of its listeners, so that their connections are not counted. */
  trusts(key: string, address: string): boolean
  /** Counts a TLS handshake. @param failure why it failed; empty where it did not */
  handshake(key: string, failure: string): void
  /** Counts a PROXY protocol header. @param cause what was wrong with it */
  proxyHeader(key: string, result: ProxyHeaderResult, peer: string, cause: string): void
  /** Connections of these clients are being ended. @param key the address where they came in */
  ending(key: string, peers: ReadonlySet<Peer>): void
  /** Makes the connection of a TCP listener. */
  tcp(channel: Channel, peer: Peer, host: TcpHost): TcpConnection
}
