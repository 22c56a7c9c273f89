import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { IncomingHttpHeaders, RequestOptions } from 'node:http'
import type { TestContext } from 'node:test'
import type { Address } from '../exchange/address.ts'
import type { LogFields, LogLevel } from '../telemetry/process-log.ts'
import { AdminServer } from './admin-server.ts'
import type { Control } from './control.ts'

/** A process that notes what was asked of it. */
export class FakeControl implements Control {
  calls: string[] = []
  isReady = true
  logLevel = 'info'
  metricsText = 'outrigger_x 1\n'
  shown: unknown = {
    listeners: [{ name: 'in' }],
    admin: { token: 'canary' },
    headers: { Authorization: 'canary' },
  }
  hold: Promise<void> | null = null
  ready(): boolean {
    return this.isReady
  }
  async metrics(write: (chunk: string) => void): Promise<void> {
    if (this.hold !== null) await this.hold
    write(this.metricsText)
  }
  config(): unknown {
    return this.shown
  }
  asWritten(text: string): string {
    return text.replaceAll('resolved', '${env:SECRET}')
  }
  configHash(): string {
    return 'abc123'
  }
  upstreams(): unknown {
    return [{ name: 'app', endpoints: [] }]
  }
  drain(): void {
    this.calls.push('drain')
  }
  quit(): void {
    this.calls.push('quit')
  }
}

/** A log that keeps the errors. */
export class FakeLog {
  level: LogLevel = 'info'
  errors: { message: string; fields: LogFields | undefined }[] = []
  trace(): void {}
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(message: string, fields?: LogFields): void {
    this.errors.push({ message, fields })
  }
  fatal(): void {}
}

/** An admin server on a port of its own, closed when the test is over. */
export async function start(
  t: TestContext,
  options: { probes?: boolean; token?: string | null; headMs?: number } = {},
) {
  const control = new FakeControl()
  const log = new FakeLog()
  const server = new AdminServer(control, log, options.headMs)
  t.after(() => server.close())
  const wanted: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 }
  const address = await server.listen(wanted, {
    probes: options.probes ?? false,
    token: options.token ?? null,
  })
  assert.ok(typeof address === 'object' && address.kind === 'tcp')
  return { control, log, server, port: address.port }
}

/** The result where an error is expected. */
export function text(result: Address | string): string {
  assert.ok(typeof result === 'string', 'an error')
  return result
}

/** What came back. */
export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

/** Sends one request over a connection of its own. */
export function send(target: RequestOptions, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', agent: false, ...target }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
