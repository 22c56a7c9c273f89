import type { Log } from '../../sidecar/telemetry/process-log.ts'
import type { Mutation } from '../mutate.ts'
import type { Report } from '../report.ts'
import type { Settings } from '../settings.ts'
import type { AdmissionRequest } from './admission-review.ts'
import type { InjectionEvents } from './injection-events.ts'
import type { Namespaces } from './namespaces.ts'
import type { WebhookMetrics } from './webhook-metrics.ts'
import { mutate } from '../mutate.ts'
import { isWanted } from '../report.ts'
import { checkServices, isChosen } from '../services.ts'
import { readReview, reviewAnswer } from './admission-review.ts'
import { patchOf } from './json-patch.ts'

/** Milliseconds that a pod waits to be told of Services: that is for people, and it must not cost the pod its answer. */
const SERVICES_MS = 1_000

/** What is answered to a request. */
export interface AdmissionAnswer {
  readonly status: number
  /** Why it is no answer to a review; null where it is one. */
  readonly reason: string | null
  /** The review's answer, or a sentence. */
  readonly text: string
}

/** What the answers are made from. */
export interface AdmissionParts {
  readonly settings: Settings
  /** Of the cluster; null while it is not known. */
  readonly kubernetesVersion: () => string | null
  readonly namespaces: Namespaces
  readonly events: InjectionEvents
  readonly metrics: WebhookMetrics
  readonly log: Log
}

/**
 * Answers reviews. A pod is never refused: it is changed, or it stays as it is and is told why. Where that cannot be
 * decided there is no answer but an error, and what follows is for the `failurePolicy` of the webhook.
 */
export class Admission {
  readonly #parts: AdmissionParts

  constructor(parts: AdmissionParts) {
    this.#parts = parts
  }

  /** @param text the body of the request */
  async review(text: string): Promise<AdmissionAnswer> {
    const request = readReview(text)
    if ('reason' in request) return { status: 400, reason: request.reason, text: request.detail }
    try {
      return await this.#answer(request)
    } catch (error) {
      // A bug. The pod may be one that has to be guarded, so it does not pass as if it had been looked at.
      this.#parts.log.error('a review failed', { uid: request.uid, namespace: request.namespace, error })
      return { status: 500, reason: 'failed', text: 'The review failed; the log of the injector says why' }
    }
  }

  async #answer(request: AdmissionRequest): Promise<AdmissionAnswer> {
    const { metrics, log } = this.#parts
    const { uid, kind, operation, namespace } = request
    if (kind !== 'Pod' || request.subResource !== '' || operation !== 'CREATE') {
      metrics.pod('skipped', 'not_a_new_pod')
      const what = `${operation} of ${kind}${request.subResource === '' ? '' : `/${request.subResource}`}`
      log.warn('the webhook is asked about what is no new pod', { what: what.slice(0, 200), namespace })
      return answered(reviewAnswer(uid, [], { warnings: [], audit: { reason: 'not_a_new_pod' } }))
    }
    const settings = await this.#settingsFor(namespace)
    if (typeof settings === 'string') return { status: 503, reason: 'not_known', text: settings }
    const { pod, report } = mutate(request.object, settings)
    const patch = report.outcome === 'injected' ? patchOf(request.object, pod) : []
    const notes = [...report.notes, ...(await this.#servicesPast({ pod, report }, namespace))]
    metrics.pod(report.outcome, report.reason ?? report.mode ?? '')
    log.debug('reviewed', { uid, namespace, outcome: report.outcome, reason: report.reason })
    if (!request.dryRun) this.#parts.events.tell(request.object, namespace, report, notes)
    return answered(reviewAnswer(uid, patch, { warnings: warningsOf(report, notes), audit: auditOf(report) }))
  }

  /** The settings with what only the cluster knows, or what is not known. */
  async #settingsFor(namespace: string): Promise<Settings | string> {
    const { settings, kubernetesVersion, namespaces, metrics } = this.#parts
    const version = kubernetesVersion()
    if (version === null) return 'The version of the cluster is not known yet'
    const labels = await namespaces.labelsOf(namespace)
    if (typeof labels === 'string') {
      metrics.apiError('namespace')
      return `The labels of the namespace are not known: ${labels}`
    }
    return { ...settings, kubernetesVersion: version, namespace: { name: namespace, labels } }
  }

  /** The ports of Services that reach the app past its sidecar, a sentence each. Nothing is said where nothing is known. */
  async #servicesPast({ pod, report }: Mutation, namespace: string): Promise<string[]> {
    if (report.outcome !== 'injected') return []
    const services = await within(SERVICES_MS, this.#parts.namespaces.servicesOf(namespace))
    if (typeof services === 'string') {
      this.#parts.metrics.apiError('services')
      return []
    }
    const finding = { place: { name: 'the pod', namespace, path: [], pod }, pod, report }
    const choosing = services.filter(service => isChosen(service, finding))
    return checkServices(choosing, [finding])
      .filter(({ passes }) => !passes)
      .map(({ name, detail }) => `${name}: does not pass, ${detail}`)
  }
}

const answered = (text: string): AdmissionAnswer => ({ status: 200, reason: null, text })

/** What whoever creates the pod should see: not what they said themselves. */
function warningsOf(report: Report, notes: readonly string[]): string[] {
  if (report.reason === null) return notes.map(note => `outrigger: ${note}`)
  return isWanted(report.reason) ? [] : [`outrigger: not injected, ${report.reason}: ${report.detail}`]
}

function auditOf({ outcome, reason, mode }: Report): Record<string, string> {
  return { outcome, ...(reason === null ? {} : { reason }), ...(mode === null ? {} : { mode }) }
}

async function within<T>(milliseconds: number, value: Promise<T>): Promise<T | string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>(resolve => {
    timer = setTimeout(resolve, milliseconds, `no answer within ${milliseconds} ms`)
  })
  const first = await Promise.race([value, late])
  clearTimeout(timer)
  return first
}
