import type { RequestOptions } from 'node:http'
import type { Command } from './command.ts'
import { nodeHttp } from '../runtime/node-modules.ts'

const TIMEOUT_MS = 2_000
const DEFAULT_ADDRESS = '127.0.0.1:9901'

/** What the command line asks for, or why it cannot be read. */
interface Check {
  readonly target: RequestOptions
  readonly address: string
  readonly path: '/healthz' | '/readyz'
}

/** Asks a running Outrigger whether it is well: for `HEALTHCHECK` of a container and `exec` probes. */
export const healthcheck: Command = {
  name: 'healthcheck',
  summary: 'ask a running Outrigger whether it is healthy',
  help: `outrigger healthcheck [--address ADDRESS] [--ready]

Asks GET /healthz of the admin listener, or /readyz with --ready. Exit code 0 where the answer is 200 within 2 s, else 1.

  --address ADDRESS   host:port or unix:/path of the admin listener (${DEFAULT_ADDRESS})
  --ready             ask for readiness
`,
  run: async (args, io) => {
    const check = readArguments(args)
    if (typeof check === 'string') {
      io.stderr(`${check}\n`)
      return 2
    }
    const failure = await ask(check)
    if (failure === null) return 0
    io.stderr(`${check.path} of ${check.address}: ${failure}\n`)
    return 1
  },
}

function readArguments(args: readonly string[]): Check | string {
  let address = DEFAULT_ADDRESS
  let path: Check['path'] = '/healthz'
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    if (arg === '--ready') path = '/readyz'
    else if (arg === '--address' && i + 1 < args.length) address = args[++i] ?? ''
    else if (arg.startsWith('--address=')) address = arg.slice('--address='.length)
    else return `healthcheck: unexpected "${arg}"; see outrigger healthcheck --help`
  }
  const target = readAddress(address)
  if (target === null) return `healthcheck: "${address}" is no address; expected host:port or unix:/path`
  return { target, address, path }
}

function readAddress(address: string): RequestOptions | null {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length) }
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(address)
  if (parts === null) return null
  const port = Number(parts[3])
  if (port < 1 || port > 65_535) return null
  // What listens on all addresses, which the configuration may say as well, is asked on loopback.
  const host = parts[1] ?? parts[2] ?? ''
  if (host === '' || host === '0.0.0.0') return { host: '127.0.0.1', port }
  return { host: host === '::' ? '::1' : host, port }
}

/** Null where the answer was 200, else what was wrong. */
async function ask(check: Check): Promise<string | null> {
  const { request } = nodeHttp()
  return new Promise(resolve => {
    const timer = setTimeout(() => finish(`no answer within ${TIMEOUT_MS} ms`), TIMEOUT_MS)
    const sent = request({ ...check.target, path: check.path, agent: false }, response => {
      finish(response.statusCode === 200 ? null : `status ${response.statusCode}`)
    })
    const finish = (failure: string | null): void => {
      clearTimeout(timer)
      sent.destroy()
      resolve(failure)
    }
    // Stays when the request is destroyed, so that a late error has a listener.
    sent.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message))
    sent.end()
  })
}
