import type { ProxyError } from '../exchange/proxy-error.ts'

/** Who waits until an upstream has room, or its name an address. Exactly one of the two is called. */
export interface UpstreamWaiter {
  onRoom(): void
  onNoRoom(error: ProxyError): void
}

/** What is counted over all generations of one upstream: how much is under way and who waits. Live state. */
export class UpstreamLoad {
  inFlight = 0
  readonly waiting: UpstreamWaiter[] = []
}
