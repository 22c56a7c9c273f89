import { ProxyError } from '../../exchange/proxy-error.ts'
import type { AskedPlace, AskedUpstream } from '../../filters/filter.ts'
import type { Destination } from '../../runtime/destination.ts'
import type { Endpoint } from '../../upstream/endpoint.ts'
import type { UpstreamWaiter } from '../../upstream/load.ts'
import type { Ticket } from '../../upstream/outcome.ts'
import { Upstream } from '../../upstream/upstream.ts'
import type { Specified } from './kept-parts.ts'

const ANY = { avoid: null, hash: -1, sticky: '' }

/** An upstream as a filter asks it. One that nobody opened has no place (`explain`). */
export function askedUpstream(upstream: Specified): AskedUpstream {
  const { authority, basePath } = upstream.spec
  return {
    authority,
    basePath,
    enter(entered) {
      if (upstream instanceof Upstream) return enter(upstream, entered)
      entered(new ProxyError('no_endpoint'))
      return () => {}
    },
  }
}

function enter(upstream: Upstream, entered: (place: AskedPlace | ProxyError) => void): () => void {
  const waiter: UpstreamWaiter = { onRoom: () => entered(place(upstream)) }
  const room = upstream.enter(waiter)
  if (room instanceof ProxyError) entered(room)
  else if (room) entered(place(upstream))
  return () => upstream.withdraw(waiter)
}

function place(upstream: Upstream): AskedPlace | ProxyError {
  const endpoint = upstream.pick(ANY)
  if (!(endpoint instanceof ProxyError)) return new Place(upstream, endpoint)
  upstream.leave()
  return endpoint
}

class Place implements AskedPlace {
  readonly target: Destination
  readonly #upstream: Upstream
  readonly #endpoint: Endpoint
  readonly #ticket: Ticket
  readonly #since = performance.now()

  constructor(upstream: Upstream, endpoint: Endpoint) {
    this.target = endpoint.target
    this.#upstream = upstream
    this.#endpoint = endpoint
    this.#ticket = upstream.begin(endpoint)
  }

  leave(status: number, error: ProxyError | null): void {
    const milliseconds = performance.now() - this.#since
    this.#upstream.settled(this.#endpoint, this.#ticket, { status, error, milliseconds, retryAfter: null })
    this.#upstream.leave()
  }
}
