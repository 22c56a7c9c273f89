import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Compiler } from '../../sidecar/config/compile/compiler.ts'
import { formatConfigErrors } from '../../sidecar/config/config-error.ts'
import { loadConfig } from '../../sidecar/config/load/load.ts'
import type { Acceptor } from '../../sidecar/listener/acceptor.ts'
import { Listeners } from '../../sidecar/process/listeners.ts'
import { Service } from '../../sidecar/process/service.ts'
import type { Clock } from '../../sidecar/runtime/clock.ts'
import { systemClock } from '../../sidecar/runtime/clock.ts'
import { systemRandom } from '../../sidecar/runtime/random.ts'
import { Generation } from '../../sidecar/snapshot/generation.ts'
import { AccessLog } from '../../sidecar/telemetry/access-log.ts'
import { AuditLog } from '../../sidecar/telemetry/audit-log.ts'
import { BufferedWriter } from '../../sidecar/telemetry/buffered-writer.ts'
import { Metrics } from '../../sidecar/telemetry/metrics.ts'
import { ProcessLog } from '../../sidecar/telemetry/process-log.ts'
import type { Every } from '../../sidecar/upstream/discovery/dns.ts'
import type { Lookup } from '../../sidecar/upstream/discovery/lookup-queue.ts'
import { RawClient } from './raw-client.ts'
import type { SteppedClock } from './stepped-clock.ts'
import type { WireResponse } from './strict-http.ts'

// Whoever keeps a part of the shared read buffer beyond its callback sees rubbish.
process.env['OUTRIGGER_POISON'] = '1'

const SETTLE_MS = 2000

/** How a data plane is started. */
export interface InProcessOptions {
  /** The machine's own by default. A stepped one drives the timer wheel: nothing times out unless the test says so. */
  readonly clock?: SteppedClock
  readonly lookup?: Lookup
  readonly every?: Every
}

/** One line of the access log; the fields that tests look at. */
export interface AccessLine {
  readonly status: number
  readonly reason?: string
  readonly route?: string
  readonly [field: string]: unknown
}

/**
 * The data plane of a real Outrigger in the test's own process: configuration text, compiler, listeners, request path
 * and pools are those of the product; no child, no watcher, no admin listener. Starts in some 20 ms, and can run on a
 * stepped clock.
 */
export class InProcess {
  readonly service: Service
  readonly #compiler: Compiler
  readonly #listeners: Listeners
  readonly #stepped: SteppedClock | null
  readonly #output: Captured
  readonly #audit: AuditLog
  readonly #metrics: Metrics

  private constructor(options: InProcessOptions) {
    const clock: Clock = options.clock ?? systemClock
    this.#stepped = options.clock ?? null
    this.#output = new Captured()
    const metrics = new Metrics(clock, { version: '0', node: process.versions.node })
    this.#metrics = metrics
    const settings = { service: 'test', format: 'json', percent: 100 } as const
    this.#audit = new AuditLog(() => this.#output.audit, clock, systemRandom)
    this.service = new Service({
      log: new ProcessLog(this.#output.errors, 'json', 'info', clock),
      accessLog: new AccessLog(this.#output.access, settings, clock, systemRandom),
      audit: this.#audit,
      metrics,
      clock,
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
      ...(options.every === undefined ? {} : { every: options.every }),
    })
    this.#listeners = new Listeners(this.service.acceptors)
    this.#compiler = new Compiler(
      this.service.live,
      this.service.filterState,
      name => metrics.route(name),
      () => performance.now(),
    )
  }

  /**
   * Starts one from a YAML text, whose addresses have port 0.
   * @throws Error with the configuration's errors, or where an address cannot be bound
   */
  static async start(yaml: string, options: InProcessOptions = {}): Promise<InProcess> {
    const started = new InProcess(options)
    await started.apply(yaml)
    if (options.clock === undefined) started.service.run()
    else for (const wheel of [started.service.wheel, started.service.fine]) options.clock.drive(wheel)
    return started
  }

  /** Loads, compiles, binds and swaps, as a reload does. */
  async apply(yaml: string): Promise<void> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-inprocess-'))
    try {
      const file = path.join(folder, 'sidecar.yaml')
      writeFileSync(file, yaml)
      const result = loadConfig([file], { secrets: true })
      if (!result.ok) throw new Error(formatConfigErrors(result.errors))
      const generation = await this.#compiler.compile(result.config)
      const opened = await this.#listeners.open(generation.snapshot)
      if ('code' in opened) throw new Error(`cannot listen on ${opened.address}: ${opened.code}`)
      this.service.holder.swap(generation)
      this.service.keys.watch(result.config.identity.consumers)
      const { audit } = result.config
      this.#audit.configure(audit === null ? null : { service: 'test', ...audit })
      for (const gone of opened.commit()) {
        gone.close()
        gone.force()
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** The port of a listener by its name; of the only one where none is given. */
  port(listener?: string): number {
    const addresses = this.#listeners.addresses(this.service.holder.current.snapshot)
    const address = listener === undefined ? Object.values(addresses)[0] : addresses[listener]
    if (address === undefined) throw new Error(`no listener ${listener}: ${JSON.stringify(addresses)}`)
    return Number(address.slice(address.lastIndexOf(':') + 1))
  }

  /** A connected raw client. */
  async connect(listener?: string): Promise<RawClient> {
    return RawClient.connect(this.port(listener))
  }

  /** Sends bytes on a connection of their own and reads one response. */
  async ask(
    bytes: string | Uint8Array,
    options: { method?: string; listener?: string; timeout?: number } = {},
  ): Promise<WireResponse> {
    const client = await this.connect(options.listener)
    try {
      return await client.ask(bytes, options)
    } finally {
      client.destroy()
    }
  }

  /** Asks a direct response, `/here` of `routeTo`, on a new connection: whatever came before, the process serves. */
  async serves(): Promise<void> {
    const response = await this.ask('GET /here HTTP/1.1\r\nhost: a.example\r\n\r\n')
    if (response.status !== 200) throw new Error(`does not serve any more: ${response.status}`)
  }

  /** What accepts connections, for tests that drain it. */
  get acceptors(): readonly Acceptor[] {
    return this.#listeners.all
  }

  /** The open client connections. */
  get connections(): number {
    return this.service.acceptors.connections
  }

  /** The access log so far. */
  get access(): AccessLine[] {
    return this.#output.lines(this.#output.access, 'access') as unknown as AccessLine[] // our own log's fields
  }

  /** What a scrape shows. */
  async metrics(): Promise<string> {
    let text = ''
    await this.#metrics.render(chunk => {
      text += chunk
    })
    return text
  }

  /** The process log so far. */
  get errors(): Record<string, unknown>[] {
    return this.#output.lines(this.#output.errors, 'errors')
  }

  /** Waits until `check` answers something else than null and false; asks it once a turn of the loop. */
  async until<T>(what: string, check: () => T | null | false, timeout = 5000): Promise<T> {
    const deadline = performance.now() + timeout
    for (;;) {
      const value = check()
      if (value !== null && value !== false) return value
      if (performance.now() > deadline) throw new Error(`waited ${timeout} ms for ${what}`)
      await nextTurn()
    }
  }

  /** Waits for the line of an exchange in the access log. */
  async accessLine(predicate: (line: AccessLine) => boolean): Promise<AccessLine> {
    return this.until('a line of the access log', () => this.access.find(predicate) ?? null)
  }

  /** Waits for so many lines of the audit. */
  async auditLines(count: number): Promise<Record<string, unknown>[]> {
    return this.until('lines of the audit', () => {
      const lines = this.#output.lines(this.#output.audit, 'audit')
      return lines.length >= count && lines
    })
  }

  /** Steps the clock in pieces, so that sockets have their say between them. */
  async step(milliseconds: number, piece = 100): Promise<void> {
    const clock = this.#stepped
    if (clock === null) throw new Error('this one runs on the machine’s clock')
    for (let done = 0; done < milliseconds; done += piece) {
      clock.step(Math.min(piece, milliseconds - done))
      await turns(2)
    }
    await turns(5)
  }

  /**
   * Closes everything and checks that nothing is left: no connection, timer, lease, held buffer or counted byte, and
   * nothing in the process log that is graver than a warning.
   * @throws Error naming what is left
   */
  async stop(options: { readonly errors?: 'expected' } = {}): Promise<void> {
    const { holder, registry, budget, wheel, fine, buffers } = this.service
    for (const acceptor of this.#listeners.all) {
      acceptor.close()
      acceptor.force()
    }
    const last = holder.current
    holder.swap(new Generation({ ...last.snapshot, upstreams: new Map(), routes: new Map() }, () => {}))
    this.service.stop()
    const left = (): string =>
      [
        this.connections > 0 ? `${this.connections} connections` : '',
        this.service.proxy.active !== 0 ? `${this.service.proxy.active} active exchanges` : '',
        last.ended ? '' : 'the last generation',
        registry.size > 0 ? `registry ${registry.keys().join(' ')}` : '',
        budget.used === 0 ? '' : `memory budget ${budget.used}`,
        buffers.held === 0 ? '' : `read buffers ${buffers.held}`,
        // Timers that are switched off leave the wheel when their slot comes round.
        (this.#stepped?.step(60_000), wheel.size + fine.size > 0 && this.#stepped !== null)
          ? `timers ${wheel.size + fine.size}`
          : '',
      ]
        .filter(part => part !== '')
        .join('; ')
    const deadline = performance.now() + SETTLE_MS
    while (left() !== '' && performance.now() < deadline) await nextTurn()
    const what = left()
    if (what !== '') throw new Error(`left behind: ${what}`)
    const grave = this.errors.filter(line => line['level'] === 'error' || line['level'] === 'fatal')
    if (options.errors !== 'expected' && grave.length > 0) throw new Error(JSON.stringify(grave))
  }
}

/** Lets the event loop turn, so that what was sent is read. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn()
}

/** Writers of both logs that keep what is written. */
class Captured {
  readonly access: BufferedWriter
  readonly errors: BufferedWriter
  readonly audit: BufferedWriter
  readonly #text = { access: '', errors: '', audit: '' }

  constructor() {
    this.access = this.#writer('access')
    this.errors = this.#writer('errors')
    this.audit = this.#writer('audit')
  }

  lines(writer: BufferedWriter, kind: 'access' | 'errors' | 'audit'): Record<string, unknown>[] {
    writer.flush()
    const lines = this.#text[kind].split('\n').slice(0, -1)
    return lines.map(line => JSON.parse(line) as Record<string, unknown>) // the log writes objects
  }

  #writer(kind: 'access' | 'errors' | 'audit'): BufferedWriter {
    const keep = (bytes: Buffer, offset: number, length: number): number => {
      this.#text[kind] += bytes.toString('utf8', offset, offset + length)
      return length
    }
    return new BufferedWriter(-1, 0, {
      write: (_fd, bytes, offset, length, done) => done(null, keep(bytes, offset, length)),
      writeSync: (_fd, bytes, offset, length) => keep(bytes, offset, length),
    })
  }
}
