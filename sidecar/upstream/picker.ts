import type { Endpoint } from './endpoint.ts'

/** An endpoint with the weight that its upstream gives it. */
export interface Candidate {
  readonly endpoint: Endpoint
  readonly weight: number
}

/**
 * A balancer's decision at one moment. Replaced as a whole, never changed, when endpoints come and go, so a request
 * holds no lock and sees no half-made list.
 */
export interface Picker {
  /**
   * Chooses an endpoint, or null where there is none.
   * @param avoid one that has just failed this request: not chosen while there is another
   */
  pick(avoid: Endpoint | null): Endpoint | null
}

/** Makes pickers of one kind. Keeps what must survive a replacement, such as where the round stands. */
export interface Balancer {
  picker(candidates: readonly Candidate[]): Picker
}
