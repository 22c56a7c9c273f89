import type { TestContext } from 'node:test'
import { InProcess, type InProcessOptions } from './in-process.ts'
import { RecordingSink } from './raw-upstream.ts'
import type { WireResponse } from './strict-http.ts'

/** An edge whose routes ask who is calling: `/` by what the test says, `/open` nobody. What they forward goes to this port. */
export function guarded(
  port: number,
  more: {
    readonly authenticate: string
    readonly authentication: string
    readonly top?: string
    readonly role?: string
  },
): string {
  return `version: 1
service: test
listeners:
  - name: in
    role: ${more.role ?? 'edge'}
    address: 127.0.0.1:0
    authenticate: ${more.authenticate}
    routes:
      - { name: here, match: { path: { exact: /here } }, authenticate: off, respond: { body: here } }
      - { name: open, match: { path: /open }, authenticate: off, upstream: app }
      - { name: app, upstream: app }
authentication:
${more.authentication
  .trim()
  .split('\n')
  .map(line => `  ${line}\n`)
  .join('')}upstreams:
  app:
    endpoints: ["127.0.0.1:${port}"]
telemetry: { accessLog: on }
${more.top ?? ''}`
}

/** A running proxy whose routes ask who is calling, before a recording sink. Both end with the test. */
export async function withGuard(
  t: TestContext,
  more: Parameters<typeof guarded>[1],
  options?: InProcessOptions,
): Promise<{ sink: RecordingSink; proxy: InProcess; get: Get }> {
  const sink = await RecordingSink.listen()
  const proxy = await InProcess.start(guarded(sink.port, more), options)
  t.after(async () => {
    await sink.close()
    await proxy.stop()
  })
  const get: Get = (path, fields = {}) => {
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    return proxy.ask(`GET ${path} HTTP/1.1\r\nhost: shop.example\r\n${lines.join('')}\r\n`)
  }
  return { sink, proxy, get }
}

/** Asks with these fields, on a connection of its own. */
export type Get = (path: string, fields?: Readonly<Record<string, string>>) => Promise<WireResponse>
