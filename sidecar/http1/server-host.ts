import type { Exchange } from '../exchange/exchange.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import type { LingeringCounters } from '../runtime/lingering.ts'
import type { DateHeader } from './head-writer.ts'
import type { ListenerConnection, ListenerLimits } from '../exchange/connection-settings.ts'

/** What a client connection needs of where it came in. Read at each request, so that a reload takes effect at once. */
export interface ServerHost<Connection> {
  /** The acceptor's key. */
  readonly entry: string
  readonly limits: ListenerLimits
  readonly clocks: ListenerConnection
  /** Whether responses announce that the connection will close. */
  readonly draining: boolean
  readonly wheel: TimerWheel
  readonly date: DateHeader
  readonly lingering: LingeringCounters
  /** A request is there. */
  handle(exchange: Exchange): void
  /** What came is no request: to be answered and logged. */
  refuse(exchange: Exchange, error: ProxyError): void
  /** The connection is gone. */
  closed(connection: Connection): void
}
