import type { Log } from '../telemetry/process-log.ts'

/**
 * A bug that nobody caught: the state of whatever it broke is unknown, so the process says what it was and ends; its
 * supervisor starts another. Every callback of the data path catches its own, so this is for what is outside of it.
 */
export function lastResort(log: Log, flush: () => void): void {
  const die = (kind: string) => (error: unknown) => {
    log.fatal(kind, { error })
    flush()
    process.exit(70)
  }
  process.on('uncaughtException', die('uncaught exception'))
  process.on('unhandledRejection', die('unhandled rejection'))
}
