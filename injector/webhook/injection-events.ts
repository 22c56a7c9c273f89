import type { ApiClient } from '../../sidecar/kubernetes/api-client.ts'
import type { Clock } from '../../sidecar/runtime/clock.ts'
import type { Report } from '../report.ts'
import type { Tree } from '../workloads.ts'
import type { WebhookMetrics } from './webhook-metrics.ts'
import { isTree } from '../workloads.ts'

/** The same again of the same owner within this time is not said again, in milliseconds. */
const QUIET_MS = 600_000
const MAX_KNOWN = 2_000
/** So many at once, and so many a second: events are stored in etcd, with everything else. */
const BURST = 25
const PER_SECOND = 5
const MAX_UNDER_WAY = 4
const MAX_WAITING = 100
/** Bytes; the API server takes notes of 1024. */
const MAX_NOTE = 1_000

/** What an event is about. */
interface Regarding {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  readonly uid?: string
}

/** Reasons that say nothing new: nobody asked for the pod to be injected, or it has the sidecar. */
const SILENT = new Set(['not_selected', 'already_injected', 'ignored_namespace', 'mirror_pod'])

/**
 * Kubernetes events `Injected` and `InjectionSkipped`, for `kubectl describe` and `kubectl get events`. A pod has no
 * identity yet when it is asked about, so they are about its owner. Nobody waits for them, and what is too much is
 * dropped and counted.
 */
export class InjectionEvents {
  readonly #api: Pick<ApiClient, 'create'>
  readonly #clock: Clock
  readonly #metrics: WebhookMetrics
  readonly #instance: string
  readonly #known = new Map<string, number>()
  readonly #waiting: { readonly path: string; readonly event: unknown }[] = []
  #underWay = 0
  #tokens = BURST
  #filled: number
  #idle: (() => void) | null = null

  /** @param instance who says it: the name of the injector's pod */
  constructor(api: Pick<ApiClient, 'create'>, clock: Clock, metrics: WebhookMetrics, instance: string) {
    this.#api = api
    this.#clock = clock
    this.#metrics = metrics
    this.#instance = instance.slice(0, 128)
    this.#filled = clock.now()
  }

  /** Says what was done with a pod. */
  tell(pod: unknown, namespace: string, report: Report, notes: readonly string[]): void {
    if (report.reason !== null && SILENT.has(report.reason)) return
    const regarding = regardingOf(pod, namespace)
    const reason = report.outcome === 'injected' ? 'Injected' : 'InjectionSkipped'
    const said = report.reason === null ? report.detail : `${report.reason}: ${report.detail}`
    const text = [said, ...notes].join('; ')
    const bytes = Buffer.from(text)
    const note = bytes.length > MAX_NOTE ? `${bytes.subarray(0, MAX_NOTE).toString()}...` : text
    if (!this.#isNew(JSON.stringify([regarding, reason, note]))) return this.#metrics.event('repeated')
    if (!this.#take() || this.#waiting.length >= MAX_WAITING) return this.#metrics.event('dropped')
    // What is in no namespace has its events in `default`.
    const place = regarding.namespace ?? 'default'
    this.#waiting.push({
      path: `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(place)}/events`,
      event: {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { generateName: 'outrigger-injector-', namespace: place },
        eventTime: new Date(this.#clock.wall()).toISOString().replace('Z', '000Z'),
        reportingController: 'outrigger.dev/injector',
        reportingInstance: this.#instance,
        action: 'Inject',
        type: report.outcome === 'injected' || report.reason === 'disabled' ? 'Normal' : 'Warning',
        reason,
        regarding,
        note,
      },
    })
    this.#send()
  }

  /** Waits until all that was told is sent or has failed. */
  async idle(): Promise<void> {
    if (this.#underWay === 0) return
    await new Promise<void>(resolve => {
      this.#idle = resolve
    })
  }

  #send(): void {
    while (this.#underWay < MAX_UNDER_WAY) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      this.#underWay++
      void this.#api.create(next.path, next.event).then(({ error }) => {
        this.#underWay--
        this.#metrics.event(error === '' ? 'sent' : 'failed')
        if (error !== '') this.#metrics.apiError('event')
        this.#send()
      })
    }
    if (this.#underWay === 0) this.#idle?.()
  }

  #isNew(key: string): boolean {
    const now = this.#clock.now()
    const since = this.#known.get(key)
    if (since !== undefined && now - since < QUIET_MS) return false
    const [oldest] = this.#known.keys()
    if (this.#known.size >= MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    this.#known.delete(key)
    this.#known.set(key, now)
    return true
  }

  #take(): boolean {
    const now = this.#clock.now()
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filled) / 1000) * PER_SECOND)
    this.#filled = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

/** The controller that makes the pod; else the pod by its name; else its namespace. */
function regardingOf(pod: unknown, namespace: string): Regarding {
  const metadata = treeOf(treeOf(pod)['metadata'])
  const owners = Array.isArray(metadata['ownerReferences']) ? metadata['ownerReferences'].filter(isTree) : []
  const owner = owners.find(one => one['controller'] === true) ?? owners[0]
  const { apiVersion, kind, name, uid } = owner ?? {}
  if (isText(apiVersion) && isText(kind) && isText(name) && isText(uid))
    return { apiVersion, kind, namespace, name, uid }
  const own = metadata['name']
  return isText(own)
    ? { apiVersion: 'v1', kind: 'Pod', namespace, name: own }
    : { apiVersion: 'v1', kind: 'Namespace', name: namespace }
}

const treeOf = (value: unknown): Tree => (isTree(value) ? value : {})

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length < 256
