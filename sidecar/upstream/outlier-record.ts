/** Why an endpoint was put aside. */
export type EjectionCause = 'consecutive_errors' | 'success_rate' | 'latency' | 'probe'

/**
 * What an endpoint's traffic showed and what became of it. Belongs to the endpoint, so it outlives configurations, the
 * thresholds among them. Times are the wheel's.
 */
export class OutlierRecord {
  /** `probing`: its time is over, and one request at a time is tried on it until one succeeds. */
  state: 'in' | 'ejected' | 'probing' = 'in'
  /** When the state began. */
  since = -Infinity
  /** When an ejection ends. */
  until = 0
  /** Ejections in a row. One is forgotten for each base ejection time without one. */
  times = 0
  cause: EjectionCause = 'consecutive_errors'
  /** The cause in words, with its figures. */
  detail = ''
  /** Since when a probe is under way; null: none is. */
  probe: number | null = null
  consecutive = 0
  /** Of the interval that runs; milliseconds are those of the successes. */
  successes = 0
  failures = 0
  milliseconds = 0

  clearInterval(): void {
    this.successes = 0
    this.failures = 0
    this.milliseconds = 0
  }
}

/** An endpoint as the detector sees it. */
export interface OutlierHost {
  readonly label: string
  readonly outlier: OutlierRecord
  /** Whether it could take requests, ejection aside. */
  readonly usable: boolean
}
