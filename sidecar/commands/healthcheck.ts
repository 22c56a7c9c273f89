import type { RequestOptions } from 'node:http'
import { adminTarget, askAdmin } from './admin-client.ts'
import type { Command } from './command.ts'

const DEFAULT_ADDRESS = '127.0.0.1:9901'
/** Between two questions with --wait. */
const PAUSE_MS = 100

/** What the command line asks for, or why it cannot be read. */
interface Check {
  readonly target: RequestOptions
  readonly address: string
  readonly path: '/healthz' | '/readyz'
  /** For how long it is asked again where it says no, in milliseconds. */
  readonly wait: number
}

/** Asks a running Outrigger whether it is well: for `HEALTHCHECK` of a container and `exec` probes. */
export const healthcheck: Command = {
  name: 'healthcheck',
  summary: 'ask a running Outrigger whether it is healthy',
  help: `outrigger healthcheck [--address ADDRESS] [--ready] [--wait SECONDS]

Asks GET /healthz of the admin listener, or /readyz with --ready. Exit code 0 where the answer is 200 within 2 s, else 1.

  --address ADDRESS   host:port or unix:/path of the admin listener (${DEFAULT_ADDRESS})
  --ready             ask for readiness
  --wait SECONDS      ask again until the answer is 200, for so long
`,
  run: async (args, io) => {
    const check = readArguments(args)
    if (typeof check === 'string') {
      io.stderr(`${check}\n`)
      return 2
    }
    const failure = await failureOf(check)
    if (failure === null) return 0
    io.stderr(`${check.path} of ${check.address}: ${failure}\n`)
    return 1
  },
}

/** Asks until the answer is 200 or the wait is over. @returns what the last answer was, or null for 200 */
async function failureOf({ target, path, wait }: Check): Promise<string | null> {
  const deadline = performance.now() + wait
  for (;;) {
    const answer = await askAdmin(target, path)
    if (typeof answer !== 'string' && answer.status === 200) return null
    if (performance.now() + PAUSE_MS > deadline)
      return typeof answer === 'string' ? answer : `status ${answer.status}`
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
}

function readArguments(args: readonly string[]): Check | string {
  let address = DEFAULT_ADDRESS
  let path: Check['path'] = '/healthz'
  let wait = '0'
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    if (arg === '--ready') path = '/readyz'
    else if (arg === '--address' && i + 1 < args.length) address = args[++i] ?? ''
    else if (arg.startsWith('--address=')) address = arg.slice('--address='.length)
    else if (arg === '--wait' && i + 1 < args.length) wait = args[++i] ?? ''
    else return `healthcheck: unexpected "${arg}"; see outrigger healthcheck --help`
  }
  if (!/^\d{1,4}$/.test(wait)) return `healthcheck: --wait takes whole seconds, not "${wait}"`
  const target = adminTarget(address)
  if (target === null) return `healthcheck: "${address}" is no address; expected host:port or unix:/path`
  return { target, address, path, wait: Number(wait) * 1000 }
}
