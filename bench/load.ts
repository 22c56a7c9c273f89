import { run } from './program.ts'

/** What a closed-loop run of wrk, or of h2load, found. */
export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** Milliseconds; of HTTP/2 not measured. */
  readonly p50: number
  readonly p99: number
  /** Responses that were not 2xx or 3xx, and connections that failed. */
  readonly failures: number
}

export interface LoadOptions {
  readonly port: number
  readonly seconds: number
  readonly connections?: number
  /** A wrk script. */
  readonly script?: string
  /** Over TLS; wrk verifies no certificate. */
  readonly encrypted?: boolean
  /** A field of `authorization` that every request has. */
  readonly authorization?: string
  /** HTTP/2 without TLS, with so many requests in flight on each connection. */
  readonly streams?: number
}

/** Keeps `connections` (64) requests in flight on as many kept connections for `seconds`, as fast as they are answered. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { port, seconds, connections = 64, script, encrypted = false, authorization, streams } = options
  if (streams !== undefined) {
    const args = ['-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`]
    return readStreamsReport(await run('h2load', [...args, `http://127.0.0.1:${port}/`]))
  }
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '5s']
  if (script !== undefined) args.push('-s', script)
  if (authorization !== undefined) args.push('-H', `authorization: ${authorization}`)
  return readReport(await run('wrk', [...args, `${encrypted ? 'https' : 'http'}://127.0.0.1:${port}/`]))
}

/** Reads wrk's report. */
export function readReport(report: string): LoadResult {
  const [, requests, seconds] = /(\d+) requests in ([\d.]+)s/.exec(report) ?? []
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(report)
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? '0'
  if (requests === undefined || seconds === undefined) throw new Error(`wrk said:\n${report}`)
  return {
    requests: Number(requests),
    seconds: Number(seconds),
    p50: percentile(report, '50'),
    p99: percentile(report, '99'),
    failures: Number(refused) + (errors?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
  }
}

/** Reads h2load's report. */
export function readStreamsReport(report: string): LoadResult {
  const seconds = /finished in ([\d.]+)s/.exec(report)?.[1]
  const [, done, failed, timeouts] =
    /(\d+) done, \d+ succeeded, (\d+) failed, \d+ errored, (\d+) timeout/.exec(report) ?? []
  if (seconds === undefined || done === undefined) throw new Error(`h2load said:\n${report}`)
  return {
    requests: Number(done),
    seconds: Number(seconds),
    p50: Number.NaN,
    p99: Number.NaN,
    failures: Number(failed) + Number(timeouts),
  }
}

function percentile(report: string, which: string): number {
  const [, value, unit] = new RegExp(`^\\s+${which}%\\s+([\\d.]+)(us|ms|s)$`, 'm').exec(report) ?? []
  if (value === undefined) return Number.NaN
  return Number(value) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1)
}
