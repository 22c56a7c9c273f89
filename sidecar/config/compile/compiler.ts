import { Generation } from '../../snapshot/generation.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { type AccessLogPolicy, defaultPolicy } from '../../telemetry/access-log.ts'
import type { RouteRecorder } from '../../telemetry/recorder.ts'
import type { LiveState } from '../../upstream/live-state.ts'
import type { Upstream } from '../../upstream/upstream.ts'
import type { ResolvedConfig, ResolvedUpstream } from '../resolved.ts'
import { compileEntries } from './entries.ts'
import type { FilterState } from './filter-leases.ts'
import { KeptParts } from './kept-parts.ts'
import { HeldUpstream } from './held-upstream.ts'
import { Slices } from './slices.ts'

/** What a compilation leaves to the next one. */
interface Compilation {
  readonly upstreams: ReadonlyMap<string, HeldUpstream>
  readonly parts: KeptParts<Upstream>
}

const NOTHING: Compilation = { upstreams: new Map(), parts: new KeptParts() }

/**
 * Makes generations of resolved configurations: plain data becomes routes with everything bound, and leases on live
 * state. What is unchanged since the compilation before is taken from it. Works in slices, so that ten thousand routes
 * stop nobody; and keeps nothing where it fails. One compilation at a time.
 */
export class Compiler {
  readonly #live: LiveState
  readonly #recorder: (route: string) => RouteRecorder
  readonly #now: () => number
  readonly #state: FilterState
  #last = NOTHING

  constructor(
    live: LiveState,
    state: FilterState,
    recorder: (route: string) => RouteRecorder,
    now: () => number,
  ) {
    this.#live = live
    this.#state = state
    this.#recorder = recorder
    this.#now = now
  }

  /** @throws Error where a part does not compile: the loader compiled it before, so that is a bug */
  async compile(config: ResolvedConfig): Promise<Generation> {
    const before = this.#last
    // Until this compilation stands there is nothing to take over: what it began may have changed live state.
    this.#last = NOTHING
    const held = new Map<string, HeldUpstream>()
    const release = (): void => {
      for (const one of held.values()) one.give()
    }
    try {
      const slices = new Slices(this.#now)
      for (const spec of Object.values(config.upstreams)) {
        held.set(spec.name, this.#hold(spec, before.upstreams))
        if (slices.over) await slices.next()
      }
      const compiled = await this.#snapshot(config, upstreamsOf(held), before.parts)
      this.#last = { upstreams: held, parts: compiled.parts }
      return new Generation(compiled.snapshot, () => {
        release()
        compiled.release()
      })
    } catch (error) {
      release()
      throw error
    }
  }

  /** The upstream of the compilation before, if it is unchanged and somebody still holds it. */
  #hold(spec: ResolvedUpstream, before: ReadonlyMap<string, HeldUpstream>): HeldUpstream {
    const known = before.get(spec.name)
    return known?.hash === spec.hash && known.take() ? known : new HeldUpstream(spec, this.#live)
  }

  async #snapshot(
    config: ResolvedConfig,
    upstreams: ReadonlyMap<string, Upstream>,
    before: KeptParts<Upstream>,
  ): Promise<{ snapshot: Snapshot; parts: KeptParts<Upstream>; release: () => void }> {
    const { entries, routes, parts, release } = await compileEntries(config, {
      upstreams,
      before,
      state: this.#state,
      recorder: this.#recorder,
      now: this.#now,
    })
    const policies = new Map<string, AccessLogPolicy>()
    for (const listener of config.listeners)
      policies.set(listener.name, config.telemetry.accessLog.write ?? defaultPolicy(listener.role))
    const snapshot = Object.freeze({
      hash: config.hash,
      entries,
      upstreams,
      routes,
      logPolicy: (listener: string) => policies.get(listener) ?? 'all',
    })
    return { snapshot, parts, release }
  }
}

function upstreamsOf(held: ReadonlyMap<string, HeldUpstream>): ReadonlyMap<string, Upstream> {
  return new Map([...held].map(([name, one]) => [name, one.upstream]))
}
