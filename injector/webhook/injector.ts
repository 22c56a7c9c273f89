import { setTimeout as pause } from 'node:timers/promises'
import type { ApiClient } from '../../sidecar/kubernetes/api-client.ts'
import type { Clock } from '../../sidecar/runtime/clock.ts'
import type { Log } from '../../sidecar/telemetry/process-log.ts'
import type { Settings } from '../settings.ts'
import type { CertificateLives } from './certificate-state.ts'
import type { ServingCertificate } from './serving-certificate.ts'
import type { WebhookBounds } from './webhook-server.ts'
import { Admission } from './admission.ts'
import { CaBundle } from './ca-bundle.ts'
import { CertificateFiles } from './certificate-files.ts'
import { CertificateSecret } from './certificate-secret.ts'
import { ClusterVersion } from './cluster-version.ts'
import { HealthServer } from './health-server.ts'
import { InjectionEvents } from './injection-events.ts'
import { Namespaces } from './namespaces.ts'
import { OwnCertificates } from './own-certificates.ts'
import { WebhookMetrics } from './webhook-metrics.ts'
import { WebhookServer } from './webhook-server.ts'

const DAY_MS = 86_400_000

/** How long certificates are good where nobody says. */
export const LIVES: CertificateLives = {
  authority: 365 * DAY_MS,
  serving: 30 * DAY_MS,
  overlap: DAY_MS,
}

/** How often certificates, caBundle and the version are looked at, in milliseconds; and while it is not ready. */
const LOOK_MS = 10_000
const SOON_MS = 1_000
/** From the start of a drain until nobody sends anything new, and for what is under way after that. */
const DRAIN_DELAY_MS = 5_000
const DRAIN_LIMIT_MS = 15_000
const LAST_EVENTS_MS = 1_000

/** How an injector runs. */
export interface InjectorOptions {
  readonly settings: Settings
  /** Of the cluster; null: asked of the API server. */
  readonly kubernetesVersion: string | null
  readonly port: number
  readonly adminPort: number
  /** Where both listen; all addresses where it is not there. */
  readonly address?: string
  /** The namespace of the injector, its Service and its Secret. */
  readonly namespace: string
  readonly service: string
  readonly secret: string
  readonly webhookConfiguration: string
  /** Files of somebody else; null: an authority of our own. */
  readonly certificate: { readonly cert: string; readonly key: string } | null
  /** The name of the pod, for events. */
  readonly instance: string
  readonly lives?: CertificateLives
  readonly lookMs?: number
  readonly bounds?: Partial<WebhookBounds>
}

/** The ports that it listens on. */
export interface InjectorPorts {
  readonly webhook: number
  readonly admin: number
}

/** The admission webhook with all that it needs: its certificates, its health, its events. */
export class Injector {
  readonly #options: InjectorOptions
  readonly #api: ApiClient
  readonly #log: Log
  readonly #version: ClusterVersion
  readonly #events: InjectionEvents
  readonly #webhook: WebhookServer
  readonly #health: HealthServer
  readonly #certificate: ServingCertificate
  readonly #ended = new AbortController()
  #isDraining = false
  #looking: Promise<void> = Promise.resolve()
  #looked: Promise<void> = Promise.resolve()
  #problem: string | null = null
  #wasReady = false

  constructor(options: InjectorOptions, api: ApiClient, clock: Clock, log: Log) {
    this.#options = options
    this.#api = api
    this.#log = log
    const metrics = new WebhookMetrics()
    this.#version = new ClusterVersion(api, clock, metrics, options.kubernetesVersion)
    this.#events = new InjectionEvents(api, clock, metrics, options.instance)
    const admission = new Admission({
      settings: { ...options.settings, ownNamespace: options.namespace },
      kubernetesVersion: () => this.#version.current,
      namespaces: new Namespaces(api, clock),
      events: this.#events,
      metrics,
      log,
    })
    this.#webhook = new WebhookServer(admission, metrics, clock, log, options.bounds)
    this.#health = new HealthServer(() => this.#notReady(), metrics)
    const use = this.#webhook.use.bind(this.#webhook)
    this.#certificate =
      options.certificate === null
        ? new OwnCertificates({
            secret: new CertificateSecret(api, options.namespace, options.secret),
            bundle: new CaBundle(api, options.webhookConfiguration),
            wish: { names: namesOf(options), lives: options.lives ?? LIVES },
            use,
            clock,
            metrics,
            log,
          })
        : new CertificateFiles(options.certificate, use, clock, metrics)
  }

  /**
   * Listens, and keeps trying for all else: an API server that is away is no reason to end.
   * @returns the ports, or one line that says which cannot be had
   */
  async start(): Promise<InjectorPorts | string> {
    const { port, adminPort, address } = this.#options
    const admin = await this.#health.listen(adminPort, address)
    if (typeof admin === 'string') return `cannot listen on port ${adminPort}: ${admin}; see --admin-port`
    const webhook = await this.#webhook.listen(port, address)
    if (typeof webhook === 'string') {
      await this.#health.close()
      return `cannot listen on port ${port}: ${webhook}; see --port`
    }
    this.#log.info('listening', { port: webhook, adminPort: admin })
    this.#looking = this.#keepLooking()
    return { webhook, admin }
  }

  /**
   * Ends: not ready at once, no new connections when that has gone around, what is under way is finished.
   * @param isInteractive whether somebody waits at a terminal
   * @returns how many reviews had to be cut
   */
  async stop(isInteractive: boolean): Promise<number> {
    this.#isDraining = true
    this.#webhook.announceEnd()
    if (!isInteractive) await this.#pause(DRAIN_DELAY_MS)
    const cut = await this.#webhook.close(DRAIN_LIMIT_MS)
    await this.close()
    return cut
  }

  /** Ends at once what still waits. */
  force(): void {
    this.#ended.abort()
    void this.#webhook.close(0)
  }

  /** Closes everything. */
  async close(): Promise<void> {
    this.#ended.abort()
    const told = Promise.race([this.#events.idle(), pause(LAST_EVENTS_MS, undefined, { ref: false })])
    await Promise.all([this.#webhook.close(0), this.#health.close(), told])
    this.#api.close()
    await this.#looking
  }

  /** Looks at certificates, caBundle and version once, and does what is due; after whoever looks now. */
  look(): Promise<void> {
    this.#looked = this.#looked.then(() => this.#look())
    return this.#looked
  }

  async #look(): Promise<void> {
    const problem = (await this.#version.refresh()) ?? (await this.#certificate.refresh())
    if (problem !== null && problem !== this.#problem) this.#log.warn('not all is in place', { problem })
    if (problem === null && this.#problem !== null) this.#log.info('all is in place again')
    this.#problem = problem
    const isReady = this.#notReady() === null
    if (isReady && !this.#wasReady) this.#log.info('ready', { kubernetes: this.#version.current })
    this.#wasReady = isReady
  }

  async #keepLooking(): Promise<void> {
    const usual = this.#options.lookMs ?? LOOK_MS
    let wait = usual
    while (!this.#ended.signal.aborted) {
      const before = this.#problem
      await this.look()
      if (this.#problem === null) wait = usual
      else wait = Math.min(usual, before === null ? SOON_MS : wait * 2)
      // Several replicas do not have to ask at one time.
      await this.#pause(wait * (0.75 + Math.random() / 2))
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await pause(milliseconds, undefined, { signal: this.#ended.signal }).catch(() => {})
  }

  #notReady(): string | null {
    if (this.#isDraining) return 'it is ending'
    if (this.#version.current !== null && this.#certificate.isReady) return null
    return this.#problem ?? 'it has just started'
  }
}

/** The names by which the API server may call the Service. */
function namesOf({ service, namespace, settings }: InjectorOptions): string[] {
  const name = `${service}.${namespace}.svc`
  return [name, `${name}.${settings.outbound.clusterDomain}`]
}
