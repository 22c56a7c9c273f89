import type { Exchange } from '../exchange/exchange.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { Random } from '../runtime/random.ts'
import type { Overload } from '../runtime/overload.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import type { Holder } from '../snapshot/holder.ts'
import type { AccessLog } from '../telemetry/access-log.ts'
import type { AuditLog } from '../telemetry/audit-log.ts'
import type { Log } from '../telemetry/process-log.ts'
import type { TcpMetrics } from '../telemetry/tcp-metrics.ts'
import type { Tunnels } from './tunnels.ts'

/** What every request of a process shares. Made once, when the process starts. */
export interface ProxyParts {
  readonly holder: Holder
  readonly wheel: TimerWheel
  /** For pauses that a tick of the other would spoil: back-off, hedges, injected delays, the clocks of one try. */
  readonly fine: TimerWheel
  readonly random: Random
  /** Milliseconds since 1970. */
  readonly wall: () => number
  readonly budget: MemoryBudget
  readonly overload: Overload
  readonly buffers: ReadBuffers
  readonly accessLog: AccessLog
  readonly audit: AuditLog
  readonly log: Log
  readonly tunnels: Tunnels
  readonly tcp: TcpMetrics
  /** Exchanges that have begun and not ended. */
  active: number
  /** Counts an exchange of no route. */
  recordUnrouted(method: string, status: number, seconds: number): void
  /** Counts an exchange of a route with authentication; `name` is null where nobody proved who it is. */
  recordConsumer(name: string | null, route: string, status: number): void
  /** Counts a gRPC call by what was called; see `Exchange.grpcStatus`. */
  recordCall(exchange: Exchange): void
  /** Counts an exchange that ended with a reason of ours. */
  recordError(route: string, reason: string): void
  /** Ends an exchange's accounts; one function for all of them (`done.ts`). */
  done: (exchange: Exchange) => void
}
