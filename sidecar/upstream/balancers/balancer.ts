import type { Random } from '../../runtime/random.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Outcome } from '../outcome.ts'
import type { Balancer, Candidate, PickAsk, Picker } from '../picker.ts'
import type { LoadBalanceSpec } from '../upstream-spec.ts'
import { HashBalancer } from './hash-balancer.ts'
import { LeastRequest } from './least-request.ts'
import { buildMaglev } from './maglev.ts'
import { PeakEwma } from './peak-ewma.ts'
import { RandomBalancer } from './random.ts'
import { buildRing } from './ring-hash.ts'
import { RoundRobin } from './round-robin.ts'

/**
 * The balancer of a policy. Every one of them honours affinity first: an endpoint that the request's cookie names and
 * that is among the candidates is picked, even where its weight is 0, which keeps new clients away and lets its own
 * finish.
 *
 * @param now monotonic milliseconds
 */
export function createBalancer(
  spec: Pick<LoadBalanceSpec, 'policy'>,
  random: Random,
  now: () => number,
): Balancer {
  return new AffineBalancer(balancerOf(spec.policy, random, now))
}

function balancerOf(policy: LoadBalanceSpec['policy'], random: Random, now: () => number): Balancer {
  switch (policy) {
    case 'round-robin':
      return new RoundRobin()
    case 'least-request':
      return new LeastRequest(random)
    case 'random':
      return new RandomBalancer(random)
    case 'peak-ewma':
      return new PeakEwma(random, now)
    case 'ring-hash':
      return new HashBalancer(buildRing, random)
    case 'maglev':
      return new HashBalancer(buildMaglev, random)
  }
}

class AffineBalancer implements Balancer {
  readonly #inner: Balancer
  constructor(inner: Balancer) {
    this.#inner = inner
  }
  picker(candidates: readonly Candidate[]): Picker {
    return new AffinePicker(candidates, this.#inner.picker(candidates))
  }
  observe(endpoint: Endpoint, outcome: Outcome): void {
    this.#inner.observe?.(endpoint, outcome)
  }
}

class AffinePicker implements Picker {
  readonly #candidates: readonly Candidate[]
  readonly #inner: Picker
  constructor(candidates: readonly Candidate[], inner: Picker) {
    this.#candidates = candidates
    this.#inner = inner
  }

  pick(ask: PickAsk): Endpoint | null {
    if (ask.sticky === '') return this.#inner.pick(ask)
    for (const { endpoint } of this.#candidates)
      if (endpoint.token === ask.sticky && endpoint !== ask.avoid) return endpoint
    return this.#inner.pick(ask)
  }
}
