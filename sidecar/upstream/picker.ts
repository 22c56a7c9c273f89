import type { Endpoint } from './endpoint.ts'
import type { Outcome } from './outcome.ts'

/** An endpoint with the weight that its upstream gives it at this moment (slow start included). */
export interface Candidate {
  readonly endpoint: Endpoint
  readonly weight: number
}

/** What a request asks of a picker. The request's own object is one, so that asking costs no allocation. */
export interface PickAsk {
  /** An endpoint that has just failed this request: not chosen while there is another. */
  readonly avoid: Endpoint | null
  /** 32-bit hash of what the balancer hashes by, or -1 where the request has nothing of it (any endpoint will do). */
  readonly hash: number
  /** The token of the endpoint that affinity asks for: chosen while it can take requests. Empty: none. */
  readonly sticky: string
}

/**
 * A balancer's decision at one moment. Replaced as a whole, never changed, when endpoints come and go or their health
 * changes, so a request holds no lock and sees no half-made list.
 */
export interface Picker {
  /** Chooses an endpoint, or null where there is none. */
  pick(ask: PickAsk): Endpoint | null
}

/** Makes pickers of one kind. Keeps what must survive a replacement, such as where the round stands. */
export interface Balancer {
  picker(candidates: readonly Candidate[]): Picker
  /** What an attempt showed, for balancers that learn from it. */
  observe?(endpoint: Endpoint, outcome: Outcome): void
}
