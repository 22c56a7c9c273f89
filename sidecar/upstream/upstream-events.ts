import type { UpstreamRecorder } from '../telemetry/recorder.ts'
import type { RepetitionLimit } from '../telemetry/repetition.ts'
import type { BreakerState } from './breaker.ts'
import type { EjectionCause } from './outlier-record.ts'
import type { OutlierEvents } from './outlier.ts'

/** What happens to an upstream's endpoints, to the process log and the counters. Floods are one line a second. */
export class UpstreamEvents implements OutlierEvents {
  readonly #upstream: string
  readonly #recorder: UpstreamRecorder
  readonly #log: RepetitionLimit

  constructor(upstream: string, recorder: UpstreamRecorder, log: RepetitionLimit) {
    this.#upstream = upstream
    this.#recorder = recorder
    this.#log = log
  }

  ejected(label: string, cause: EjectionCause, detail: string, milliseconds: number): void {
    if (cause === 'consecutive_errors') this.#recorder.ejectedForErrors++
    else if (cause === 'success_rate') this.#recorder.ejectedForSuccessRate++
    else if (cause === 'latency') this.#recorder.ejectedForLatency++
    else this.#recorder.ejectedForProbe++
    this.#write(label, 'warn', 'an endpoint is ejected', {
      endpoint: label,
      why: detail,
      seconds: milliseconds / 1000,
    })
  }

  returned(label: string): void {
    this.#write(label, 'info', 'an ejected endpoint is back', { endpoint: label })
  }

  /** @param label the endpoint whose breaker it is; null: the upstream's */
  breaker(label: string | null, state: BreakerState, seconds: number): void {
    if (state === 'open') this.#recorder.breakerOpened++
    const fields = label === null ? {} : { endpoint: label }
    if (state === 'open') this.#write(label, 'warn', 'a circuit breaker is open', { ...fields, seconds })
    else this.#write(label, 'info', `a circuit breaker is ${state}`, fields)
  }

  /** @param fault why its check fails; empty where it passes again */
  check(label: string, fault: string): void {
    if (fault === '') this.#write(label, 'info', 'an endpoint passes its health check', { endpoint: label })
    else
      this.#write(label, 'warn', 'an endpoint fails its health check', {
        endpoint: label,
        why: fault,
      })
  }

  panic(on: boolean, healthy: number, endpoints: number): void {
    const message = on
      ? 'too few endpoints are healthy: health is ignored'
      : 'enough endpoints are healthy: health counts again'
    this.#write(null, on ? 'warn' : 'info', message, { healthy, endpoints })
  }

  #write(
    label: string | null,
    level: 'info' | 'warn',
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    this.#log.write(`${message} ${this.#upstream} ${label ?? ''}`, level, message, {
      upstream: this.#upstream,
      ...fields,
    })
  }
}
