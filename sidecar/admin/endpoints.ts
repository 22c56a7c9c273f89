import type { ServerResponse } from 'node:http'
import { EXPOSITION_TYPE, writeInSlices } from '../telemetry/exposition.ts'
import { isLogLevel, LOG_LEVELS } from '../telemetry/process-log.ts'
import type { Control } from './control.ts'
import { jsonBlocks } from './json-blocks.ts'
import { answer, problem } from './answer.ts'

/** One path of the admin server. */
export interface Endpoint {
  readonly summary: string
  /** Also on the read-only address for the kubelet and Prometheus. */
  readonly probe: boolean
  readonly read: ((control: Control, response: ServerResponse) => void | Promise<void>) | null
  /** What a POST does. */
  readonly write: ((control: Control, response: ServerResponse, query: URLSearchParams) => void) | null
}

const MAX_SCRAPES = 4
const scrapes = new WeakMap<Control, number>()

/** Scrapes hold their whole text until it is read, so that few may be under way. */
async function metrics(control: Control, response: ServerResponse): Promise<void> {
  const running = scrapes.get(control) ?? 0
  if (running >= MAX_SCRAPES) {
    response.setHeader('retry-after', '1')
    return problem(response, 503, 'Too many scrapes at once')
  }
  scrapes.set(control, running + 1)
  response.once('close', () => scrapes.set(control, (scrapes.get(control) ?? 1) - 1))
  response.setHeader('content-type', EXPOSITION_TYPE)
  await control.metrics(chunk => {
    if (response.destroyed) throw new Error('the reader of the metrics has gone')
    response.write(chunk)
  })
  response.end()
}

async function json(
  response: ServerResponse,
  value: unknown,
  show?: (text: string) => string,
): Promise<void> {
  response.setHeader('content-type', 'application/json')
  const write = (chunk: string): void => {
    if (!response.destroyed) response.write(chunk)
  }
  await writeInSlices(jsonBlocks(value, show), write, () => performance.now())
  response.end('\n')
}

/** Every path, in the order of the index. */
export const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  [
    '/',
    {
      summary: 'this list',
      probe: false,
      read: (_, response) => answer(response, 200, index()),
      write: null,
    },
  ],
  [
    '/healthz',
    {
      summary: 'whether the process serves',
      probe: true,
      read: (_, response) => answer(response, 200, 'ok\n'),
      write: null,
    },
  ],
  [
    '/readyz',
    {
      summary: 'whether the configuration is active, every listener bound, and no drain has begun',
      probe: true,
      read: (control, response) =>
        control.ready() ? answer(response, 200, 'ready\n') : problem(response, 503, 'Not ready'),
      write: null,
    },
  ],
  [
    '/metrics',
    { summary: 'metrics in the text format of Prometheus', probe: true, read: metrics, write: null },
  ],
  [
    '/config',
    {
      summary: 'the serving configuration, without secrets',
      probe: false,
      read: (control, response) => {
        response.setHeader('outrigger-config-hash', control.configHash())
        const shown = { hash: control.configHash(), config: control.config() }
        return json(response, shown, text => control.asWritten(text))
      },
      write: null,
    },
  ],
  [
    '/upstreams',
    {
      summary: 'upstreams, their endpoints and pools',
      probe: false,
      read: (control, response) => json(response, control.upstreams()),
      write: null,
    },
  ],
  [
    '/log-level',
    {
      summary: 'the level of the process log; POST /log-level?level=debug changes it',
      probe: false,
      read: (control, response) => answer(response, 200, `${control.logLevel}\n`),
      write: (control, response, query) => {
        const level = query.get('level') ?? ''
        if (!isLogLevel(level))
          return problem(response, 400, `The level must be one of ${LOG_LEVELS.join(', ')}`)
        control.logLevel = level
        answer(response, 200, `${level}\n`)
      },
    },
  ],
  [
    '/drain',
    {
      summary: 'begins a drain',
      probe: false,
      read: null,
      write: (control, response) => {
        control.drain()
        answer(response, 202, 'draining\n')
      },
    },
  ],
  [
    '/quit',
    {
      summary: 'drains, then ends the process',
      probe: false,
      read: null,
      write: (control, response) => {
        // Not before the answer is out, or the caller would see a broken connection instead.
        response.once('close', () => control.quit())
        answer(response, 202, 'quitting\n')
      },
    },
  ],
])

function index(): string {
  let text = ''
  for (const [path, endpoint] of ENDPOINTS) {
    text += `${endpoint.read === null ? 'POST' : 'GET '} ${path.padEnd(12)} ${endpoint.summary}\n`
  }
  return text
}
