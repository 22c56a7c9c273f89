import type http from 'node:http'
import type { TestContext } from 'node:test'
import { HttpUpstream } from './http-upstream.ts'
import { InProcess, type InProcessOptions } from './in-process.ts'

/** What came to a service: its methods and targets in order, with the fields that tests look at. */
export interface Came {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** A service that counts what reaches it and answers each request by a function of the test. */
export class CountingService {
  readonly came: Came[] = []
  readonly upstream: HttpUpstream

  private constructor(upstream: HttpUpstream) {
    this.upstream = upstream
  }

  /** @param answer a status; `cut` to close the connection without a response; `silent` to say nothing */
  static async listen(
    answer: (came: Came, count: number) => Answer | Promise<Answer> = () => 200,
  ): Promise<CountingService> {
    const upstream = await HttpUpstream.listen((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('error', () => {})
      request.on('end', () => {
        const { method = '', url = '', headers } = request
        const came = { method, target: url, headers, body: Buffer.concat(parts).toString('latin1') }
        service.came.push(came)
        void Promise.resolve(answer(came, service.came.length)).then(said => give(response, said))
      })
    })
    const service = new CountingService(upstream)
    return service
  }

  get port(): number {
    return this.upstream.port
  }
}

function give(response: http.ServerResponse, said: Answer): void {
  if (said === 'silent') return
  if (said === 'cut') {
    response.socket?.destroy()
    return
  }
  const { status, headers = {}, body = String(status) } = typeof said === 'number' ? { status: said } : said
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers })
  response.end(body)
}

/** What a service does with a request. */
export type Answer =
  | number
  | 'cut'
  | 'silent'
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }

/** An edge before services: a route to the first upstream, `app`; the others are there by name. Ends with the test. */
export async function withServices(
  t: TestContext,
  services: Readonly<Record<string, readonly CountingService[]>>,
  more: { readonly route?: string; readonly upstream?: string; readonly top?: string } = {},
  options: InProcessOptions = {},
): Promise<InProcess> {
  const indent = (lines: string | undefined, by: number): string =>
    lines === undefined
      ? ''
      : lines
          .trim()
          .split('\n')
          .map(line => ' '.repeat(by) + line + '\n')
          .join('')
  const upstreams = Object.entries(services).map(
    ([name, list]) =>
      `  ${name}:\n    endpoints: [${list.map(one => `"127.0.0.1:${one.port}"`).join(', ')}]\n` +
      indent(name === 'app' ? more.upstream : undefined, 4),
  )
  const proxy = await InProcess.start(
    `version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    routes:
      - name: here
        match: { path: { exact: /here } }
        respond: { body: here }
      - name: app
        upstream: app
${indent(more.route, 8)}upstreams:
${upstreams.join('')}telemetry: { accessLog: on }
${more.top ?? ''}`,
    options,
  )
  t.after(async () => {
    for (const list of Object.values(services)) for (const one of list) await one.upstream.close()
    await proxy.stop()
  })
  return proxy
}
