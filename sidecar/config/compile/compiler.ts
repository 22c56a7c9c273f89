import { Generation } from '../../snapshot/generation.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { type AccessLogPolicy, defaultPolicy } from '../../telemetry/access-log.ts'
import type { RouteRecorder } from '../../telemetry/recorder.ts'
import type { LiveState } from '../../upstream/live-state.ts'
import { Upstream } from '../../upstream/upstream.ts'
import type { ResolvedConfig } from '../resolved.ts'
import { compileEntries } from './entries.ts'

/**
 * Makes generations of resolved configurations: plain data becomes routes with everything bound, and leases on live
 * state. Works in slices, so that ten thousand routes stop nobody; and keeps nothing where it fails.
 */
export class Compiler {
  readonly #live: LiveState
  readonly #recorder: (route: string) => RouteRecorder
  readonly #now: () => number

  constructor(live: LiveState, recorder: (route: string) => RouteRecorder, now: () => number) {
    this.#live = live
    this.#recorder = recorder
    this.#now = now
  }

  /** @throws Error where a part does not compile: the loader compiled it before, so that is a bug */
  async compile(config: ResolvedConfig): Promise<Generation> {
    const upstreams = new Map<string, Upstream>()
    const release = (): void => {
      for (const upstream of upstreams.values()) upstream.release()
    }
    try {
      for (const spec of Object.values(config.upstreams))
        upstreams.set(spec.name, new Upstream(spec, this.#live))
      return new Generation(await this.#snapshot(config, upstreams), release)
    } catch (error) {
      release()
      throw error
    }
  }

  async #snapshot(config: ResolvedConfig, upstreams: ReadonlyMap<string, Upstream>): Promise<Snapshot> {
    const parts = { upstreams, recorder: this.#recorder, now: this.#now }
    const { entries, routes } = await compileEntries(config, parts)
    const policies = new Map<string, AccessLogPolicy>()
    for (const listener of config.listeners)
      policies.set(listener.name, config.telemetry.accessLog.write ?? defaultPolicy(listener.role))
    return Object.freeze({
      hash: config.hash,
      entries,
      upstreams,
      routes,
      logPolicy: (listener: string) => policies.get(listener) ?? 'all',
    })
  }
}
