import type { LiveState } from '../../upstream/live-state.ts'
import { Upstream } from '../../upstream/upstream.ts'
import type { ResolvedUpstream } from '../resolved.ts'

/** An upstream that consecutive generations share while its specification stays. It goes with the last that holds it. */
export class HeldUpstream {
  readonly hash: string
  readonly upstream: Upstream
  #holders = 1

  /** Made for its first holder. */
  constructor(spec: ResolvedUpstream, live: LiveState) {
    this.hash = spec.hash
    this.upstream = new Upstream(spec, live)
  }

  /** Adds a holder. @returns false where the last one is gone, and the upstream with it */
  take(): boolean {
    if (this.#holders === 0) return false
    this.#holders++
    return true
  }

  give(): void {
    if (this.#holders === 0) throw new Error('upstream given back twice')
    if (--this.#holders === 0) this.upstream.release()
  }
}
