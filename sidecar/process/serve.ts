import { AccessLog } from '../telemetry/access-log.ts'
import { AuditLog } from '../telemetry/audit-log.ts'
import { AuditSinks } from './audit-sinks.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { openWriter } from '../telemetry/output.ts'
import { isLogLevel, ProcessLog } from '../telemetry/process-log.ts'
import { systemClock } from '../runtime/clock.ts'
import { systemRandom } from '../runtime/random.ts'
import { DroppedLines } from './dropped-lines.ts'
import { lastResort } from './last-resort.ts'
import { Outrigger } from './outrigger.ts'

/** How long a line of the access log waits for others, in milliseconds. */
const ACCESS_DELAY_MS = 50

/** What the command line says. */
export interface ServeOptions {
  readonly sources: readonly string[]
  readonly env: string | undefined
  readonly level: string
}

/**
 * Runs until a signal or POST /quit ends it.
 * @returns the exit code
 */
export async function serve(
  options: ServeOptions,
  io: { stderr(text: string): void },
  version: string,
): Promise<number> {
  if (!isLogLevel(options.level)) {
    io.stderr(`outrigger run: ${options.level} is no log level\n`)
    return 2
  }
  const access = openWriter(1, ACCESS_DELAY_MS)
  const processWriter = openWriter(2, 0)
  const format = process.stderr.isTTY ? 'text' : 'json'
  const log = new ProcessLog(processWriter, format, options.level, systemClock)
  const accessLog = new AccessLog(
    access,
    { service: '', format: 'json', percent: 100 },
    systemClock,
    systemRandom,
  )
  const sinks = new AuditSinks(access, processWriter)
  const audit = new AuditLog(to => sinks.open(to), systemClock, systemRandom)
  const metrics = new Metrics(systemClock, { version, node: process.versions.node })
  const ending = Promise.withResolvers<{ interactive: boolean }>()
  const outrigger = new Outrigger({
    sources: options.sources,
    env: options.env,
    log,
    accessLog,
    audit,
    metrics,
    droppedLines: () => ({
      access: access.dropped,
      process: processWriter.dropped,
      audit: sinks.dropped + audit.lost,
    }),
    quit: () => ending.resolve({ interactive: false }),
  })
  onSignals(ending.resolve, outrigger, () => {
    const unopened = audit.reopen()
    if (unopened !== null)
      log.error('the audit log cannot be opened: its lines are dropped and counted', { error: unopened })
  })
  const dropped = new DroppedLines(log, [
    { name: 'access', dropped: () => access.dropped, cause: () => access.cause },
    {
      name: 'audit',
      dropped: () => sinks.dropped + audit.lost,
      cause: () => sinks.cause || 'its file cannot be opened',
    },
  ])
  lastResort(log, () => {
    processWriter.flushSync()
    access.flushSync()
    sinks.flushSync()
  })
  const failure = await outrigger.start()
  if (failure !== null) {
    io.stderr(`${failure.text}\n`)
    await outrigger.close()
    return failure.kind === 'configuration' ? 1 : 3
  }
  const { interactive } = await ending.promise
  const cut = await outrigger.stop(interactive)
  dropped.stop()
  log.info('stopped', { cut })
  await Promise.all([access.close(), processWriter.close(), sinks.close()])
  // A mirror's copy or a check may still wait for its answer. The clocks stand, so it could do so for ever.
  process.exit(cut === 0 ? 0 : 4)
}

function onSignals(
  end: (how: { interactive: boolean }) => void,
  outrigger: Outrigger,
  reopen: () => void,
): void {
  let signals = 0
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      signals++
      if (signals === 1) end({ interactive: signal === 'SIGINT' })
      else outrigger.force()
    })
  }
  process.on('SIGHUP', () => {
    reopen()
    void outrigger.reload()
  })
}
