import type { RequestOptions } from 'node:http'
import { adminTarget, askAdmin } from './admin-client.ts'
import type { Command } from './command.ts'

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
    const answer = await askAdmin(check.target, check.path)
    if (typeof answer !== 'string' && answer.status === 200) return 0
    const failure = typeof answer === 'string' ? answer : `status ${answer.status}`
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
  const target = adminTarget(address)
  if (target === null) return `healthcheck: "${address}" is no address; expected host:port or unix:/path`
  return { target, address, path }
}
