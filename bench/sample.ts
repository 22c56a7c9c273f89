import { Checker, type CheckResult } from './checker.ts'
import type { Entry } from './contestant.ts'
import { load, type LoadOptions } from './load.ts'
import { cpuMicroseconds, memory } from './process-figures.ts'

/** One contestant in one round. */
export interface Sample {
  readonly rps: number
  /** User and system time of the proxy per request, in microseconds. */
  readonly cpu: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** MiB, right after the load. */
  readonly rss: number
  readonly failures: number
  readonly check: CheckResult
}

/** Loads a running contestant once, with the correctness check beside it. */
export async function sample(entry: Entry, options: Omit<LoadOptions, 'port'>): Promise<Sample> {
  const checker = new Checker(entry.port, options)
  const before = cpuMicroseconds(entry.program.pid)
  const result = await load({ ...options, port: entry.port })
  const used = cpuMicroseconds(entry.program.pid) - before
  const rss = memory(entry.program.pid).resident
  const check = await checker.stop()
  return {
    rps: result.requests / result.seconds,
    cpu: used / (result.requests + check.compared),
    p50: result.p50,
    p99: result.p99,
    rss,
    failures: result.failures,
    check,
  }
}
