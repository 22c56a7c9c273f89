import { statSync } from 'node:fs'
import { Compiler } from '../config/compile/compiler.ts'
import { formatConfigErrors } from '../config/config-error.ts'
import type { LoadResult } from '../config/load-result.ts'
import { Loader } from '../config/loader.ts'
import type { ResolvedConfig } from '../config/resolved.ts'
import { ConfigWatcher } from '../config/watch.ts'
import type { AccessLog } from '../telemetry/access-log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AuditLog } from '../telemetry/audit-log.ts'
import type { Log } from '../telemetry/process-log.ts'
import { AdminListeners } from './admin-listeners.ts'
import { CgroupMemory } from './cgroup-memory.ts'
import { processControl } from './control.ts'
import { Drains } from './drains.ts'
import { LoadGauge, processProbes } from './load-gauge.ts'
import { cannotListen, Listeners } from './listeners.ts'
import { Service } from './service.ts'
import { activeConnections, upstreamStates } from './states.ts'

/** What a process runs with. */
export interface OutriggerSettings {
  /** Files and folders, as the user named them. */
  readonly sources: readonly string[]
  readonly env: string | undefined
  readonly log: Log
  readonly accessLog: AccessLog
  readonly audit: AuditLog
  readonly metrics: Metrics
  readonly droppedLines: () => { readonly access: number; readonly process: number; readonly audit: number }
  /** Ends the process: POST /quit. */
  readonly quit: () => void
}

/** Why it did not start, for the exit code. */
export type StartFailure =
  | { readonly kind: 'configuration'; readonly text: string }
  | { readonly kind: 'listen'; readonly text: string }

/** One running Outrigger: it starts, swaps snapshots when its files change, drains and stops. */
export class Outrigger {
  readonly service: Service
  readonly #settings: OutriggerSettings
  readonly #loader = new Loader()
  readonly #watcher: ConfigWatcher
  readonly #compiler: Compiler
  readonly #listeners: Listeners
  readonly #drains: Drains
  readonly #admin: AdminListeners
  #adminAddress = ''
  #config: ResolvedConfig | null = null
  #serving = false
  #reloading = false
  #again = false
  #gauge: LoadGauge | null = null

  constructor(settings: OutriggerSettings) {
    this.#settings = settings
    const { log, accessLog, audit, metrics } = settings
    this.service = new Service({ log, accessLog, audit, metrics })
    this.#listeners = new Listeners(this.service.acceptors)
    this.#drains = new Drains(this.service, this.#listeners, log, () => this.#config)
    this.#compiler = new Compiler(
      this.service.live,
      this.service.filterState,
      name => metrics.route(name),
      () => performance.now(),
    )
    this.#watcher = new ConfigWatcher(() => void this.reload())
    this.#admin = new AdminListeners(
      processControl(this.service, settings, {
        ready: () => this.#serving && !this.#drains.ending,
        config: () => this.#config,
        drain: () => void this.drain(false).catch((error: unknown) => this.service.fault(error)),
      }),
      log,
    )
    metrics.connect({
      activeConnections: () => activeConnections(this.service),
      activeRequests: () => this.service.proxy.active,
      upstreams: () => upstreamStates(this.service.holder.current.snapshot),
      droppedLines: settings.droppedLines,
    })
  }

  /** Loads, binds and serves. @returns null, or why there is nothing to run */
  async start(): Promise<StartFailure | null> {
    const { metrics, log } = this.#settings
    const result = await this.#load()
    if (!result.ok) return { kind: 'configuration', text: formatConfigErrors(result.errors) }
    const failed = await this.#apply(result.config)
    if (failed !== null) return { kind: 'listen', text: failed }
    this.service.run()
    this.#gauge = this.#measure()
    this.#serving = true
    this.#watch(result)
    metrics.reloaded(result.config.hash)
    log.info('ready', {
      service: result.config.service,
      layers: result.config.layers,
      hash: result.config.hash,
      listeners: this.#listeners.addresses(this.service.holder.current.snapshot),
      admin: this.#adminAddress,
    })
    for (const warning of result.warnings) log.warn(warning)
    // Not needed to serve, and it costs a tenth of a second to load.
    const { processMetrics } = await import('../telemetry/process-metrics.ts')
    await processMetrics(metrics)
    return null
  }

  /** Loads again. A configuration that is wrong, or that cannot be bound, changes nothing. */
  async reload(): Promise<void> {
    if (this.#reloading) {
      this.#again = true
      return
    }
    this.#reloading = true
    try {
      do {
        this.#again = false
        await this.#reloadOnce()
      } while (this.#again)
    } catch (error) {
      // The loader compiled it all before: this is a bug, and no reason to stop serving.
      this.#settings.metrics.reloaded(null)
      this.#settings.log.error('reload failed: the last good configuration goes on', { error })
    } finally {
      this.#reloading = false
    }
  }

  async #reloadOnce(): Promise<void> {
    const { log, metrics } = this.#settings
    const result = await this.#load()
    if (this.#drains.ending) return
    this.#watch(result)
    if (!result.ok) {
      metrics.reloaded(null)
      log.error('reload refused: the last good configuration goes on', {
        hash: this.#config?.hash,
        errors: formatConfigErrors(result.errors),
      })
      return
    }
    if (result.config.hash === this.#config?.hash) {
      metrics.reloaded(result.config.hash)
      log.info('reloaded', { hash: result.config.hash, changed: false })
      return
    }
    const failed = await this.#apply(result.config)
    metrics.reloaded(failed === null ? result.config.hash : null)
    if (failed === null) log.info('reloaded', { hash: result.config.hash, changed: true })
    else log.error('reload refused: the last good configuration goes on', { errors: failed })
    for (const warning of result.warnings) log.warn(warning)
  }

  #measure(): LoadGauge {
    const { overload } = this.service
    return new LoadGauge(overload, processProbes(new CgroupMemory()), load => {
      const fields = { cause: overload.cause, closing: overload.closing, lag: load.lag, memory: load.memory }
      if (overload.share > 0) this.#settings.log.warn('overloaded: requests are refused', fields)
      else if (overload.closing) this.#settings.log.warn('short of memory: connections are closed', fields)
      else this.#settings.log.info('no longer overloaded', fields)
    })
  }

  #load(): Promise<LoadResult> {
    return this.#loader.load(this.#settings.sources, { env: this.#settings.env, secrets: true })
  }

  /**
   * Compiles, binds what is new, swaps, and lets go of what is gone; or changes nothing.
   * @returns null, or which address cannot be bound
   */
  async #apply(config: ResolvedConfig): Promise<string | null> {
    const generation = await this.#compiler.compile(config)
    const opened = await this.#listeners.open(generation.snapshot)
    if ('code' in opened) {
      generation.give()
      return cannotListen(opened)
    }
    const admin = await this.#admin.open(config.admin)
    if (typeof admin === 'string') {
      opened.undo()
      generation.give()
      return admin
    }
    if (this.#drains.ending) {
      // It began meanwhile, with the listeners that there were.
      admin.undo()
      opened.undo()
      generation.give()
      return 'the process drains'
    }
    const { holder } = this.service
    const before = holder.current
    before.take()
    holder.swap(generation)
    this.#config = config
    for (const acceptor of opened.commit()) this.#drains.retire(acceptor, before)
    for (const acceptor of opened.back) this.#drains.keep(acceptor)
    this.#adminAddress = admin.commit()
    before.give()
    this.#configureTelemetry(config)
    return null
  }

  #configureTelemetry(config: ResolvedConfig): void {
    const { accessLog, audit, log, metrics } = this.#settings
    const { format, percent } = config.telemetry.accessLog
    accessLog.configure({
      service: config.service,
      format: format ?? (process.stdout.isTTY ? 'text' : 'json'),
      percent,
    })
    const unopened = audit.configure(
      config.audit === null ? null : { service: config.service, ...config.audit },
    )
    if (unopened !== null)
      log.error('the audit log cannot be opened: its lines are dropped and counted', { error: unopened })
    metrics.setBuckets(config.telemetry.metrics.buckets)
    this.service.keys.watch(config.identity.consumers)
    const { snapshot } = this.service.holder.current
    metrics.retain({ routes: snapshot.routes.keys(), upstreams: snapshot.upstreams.keys() })
  }

  #watch(result: LoadResult): void {
    const files = result.ok ? result.config.files : result.files
    const poll = this.#config?.watch.poll ?? 30_000
    this.#watcher.watch(files, this.#settings.sources.filter(isFolder), poll)
  }

  /** Begins to drain. @returns how many connections had to be cut in the end */
  drain(interactive: boolean): Promise<number> {
    return this.#drains.end(interactive)
  }

  /** Ends a drain at once. */
  force(): void {
    this.#drains.force()
  }

  /** Drains, and gives back everything. @returns how many connections had to be cut */
  async stop(interactive: boolean): Promise<number> {
    const cut = await this.drain(interactive)
    await this.close()
    return cut
  }

  /** Gives back everything at once: what follows a drain, or a start that failed. */
  async close(): Promise<void> {
    for (const acceptor of this.#listeners.all) {
      acceptor.close()
      acceptor.force()
    }
    await this.#watcher.close()
    this.#loader.close()
    await this.#admin.close()
    // The last generation's hold ends: idle upstream connections close, and nothing keeps the process from its end.
    this.service.holder.current.give()
    this.service.stop()
    await this.service.ended()
    this.#gauge?.stop()
  }
}

function isFolder(source: string): boolean {
  return statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false
}
