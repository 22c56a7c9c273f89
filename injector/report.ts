/** Why a pod was left as it is. */
export type SkipReason =
  | 'not_a_pod'
  | 'host_network'
  | 'ignored_namespace'
  | 'already_injected'
  | 'other_sidecar'
  | 'windows'
  | 'mirror_pod'
  | 'disabled'
  | 'not_selected'
  | 'invalid_annotation'
  | 'name_taken'
  | 'app_port_not_movable'
  | 'port_not_http'
  | 'port_taken'
  | 'nothing_to_pass'
  | 'job_needs_native_sidecar'
  | 'too_large'

/** Reasons that a user gives, or that are no fault. */
const WANTED: ReadonlySet<SkipReason> = new Set<SkipReason>([
  'disabled',
  'not_selected',
  'already_injected',
  'ignored_namespace',
  'host_network',
])

/** Whether a pod that is skipped for this reason is one that somebody wants to be, or that has to be. */
export function isWanted(reason: SkipReason): boolean {
  return WANTED.has(reason)
}

/** What was done with a port that a pod declares. */
export interface PortReport {
  readonly container: string
  readonly name: string | null
  /** As the pod declares it. */
  readonly declared: number
  /** Where the sidecar listens, or null where the port was left out on request. */
  readonly sidecar: number | null
  /** Where the app listens. */
  readonly app: number
  readonly by: 'app-port' | 'move-port' | 'capture' | 'name' | 'skip-ports'
}

/** What the injector did with one pod, in words for people and codes for machines. */
export interface Report {
  readonly outcome: 'injected' | 'skipped'
  /** Null where it was injected. */
  readonly reason: SkipReason | null
  /** A sentence. */
  readonly detail: string
  /** How the sidecar is declared. */
  readonly mode: 'native' | 'classic' | null
  readonly ports: readonly PortReport[]
  /** What a user has to know, a sentence each. */
  readonly notes: readonly string[]
}

/** A pod that stays as it is, and why. */
export class Skip {
  readonly reason: SkipReason
  readonly detail: string

  constructor(reason: SkipReason, detail: string) {
    this.reason = reason
    this.detail = detail
  }

  /** As a report. */
  get report(): Report {
    return { outcome: 'skipped', reason: this.reason, detail: this.detail, mode: null, ports: [], notes: [] }
  }
}
