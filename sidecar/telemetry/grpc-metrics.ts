import type { Exchange } from '../exchange/exchange.ts'
import { GRPC_NAMES, grpcStatusOf } from '../exchange/grpc-status.ts'
import type { Sample } from './exposition.ts'
import type { Metrics } from './metrics.ts'

/** How many methods have labels of their own; the rest share one, so that a client that makes up names fills no memory. */
const MOST = 1000
const OTHER = '_other'
const CANCELLED = 1
const UNKNOWN = 2
const UNIMPLEMENTED = 12

/** One method of one service: calls by status. Index 17 is a status that gRPC does not have. */
interface Calls {
  readonly service: string
  readonly method: string
  readonly counts: Float64Array
}

/** gRPC calls by service, method and status. */
export class GrpcMetrics {
  readonly #calls = new Map<string, Calls>()

  constructor(metrics: Metrics) {
    metrics.counter('outrigger_grpc_requests_total', 'gRPC calls by service, method and status.', () =>
      this.#samples(),
    )
  }

  /** Counts a call that is over. */
  record(exchange: Exchange): void {
    const code = codeOf(exchange)
    // Whether a server has a method, only its own answer says.
    const known = exchange.reason === '' && code !== UNIMPLEMENTED
    const { counts } = this.#of(exchange.request?.path ?? '', known)
    const index = code < GRPC_NAMES.length ? code : GRPC_NAMES.length
    counts[index] = (counts[index] ?? 0) + 1
  }

  #of(path: string, known: boolean): Calls {
    const calls = this.#calls.get(path)
    if (calls !== undefined) return calls
    const name = /^\/([\w.]{1,200})\/(\w{1,100})$/.exec(path)
    const room = known && this.#calls.size < MOST && name !== null
    const [, service = OTHER, method = OTHER] = room ? name : []
    if (!room && path !== OTHER) return this.#of(OTHER, false)
    const added = { service, method, counts: new Float64Array(GRPC_NAMES.length + 1) }
    this.#calls.set(path, added)
    return added
  }

  *#samples(): Generator<Sample> {
    for (const { service, method, counts } of this.#calls.values()) {
      for (const [code, value] of counts.entries()) {
        if (value > 0) yield { labels: { service, method, code: GRPC_NAMES[code] ?? 'other' }, value }
      }
    }
  }
}

/** What a call ended with, as its client sees it. */
function codeOf(exchange: Exchange): number {
  const { grpcStatus, reason } = exchange
  if (grpcStatus !== null && grpcStatus >= 0) return grpcStatus
  // It ended without a status: what the client makes of that.
  if (reason === '') return UNKNOWN
  return reason === 'client_gone' ? CANCELLED : grpcStatusOf(reason)
}
