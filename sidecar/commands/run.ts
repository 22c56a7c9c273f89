import { parseArgs } from 'node:util'
import type { Command } from './command.ts'
import { outriggerVersion } from './version.ts'

/** `outrigger run`: the proxy itself. */
export const run: Command = {
  name: 'run',
  summary: 'run the proxy with a configuration, and reload it when its files change',
  help: `Usage: outrigger run [-c PATH]... [--env NAME] [--log-level LEVEL]

  -c, --config PATH   a file or a folder with *.yaml; may be given several times (./outrigger.yaml)
  --env NAME          the environment whose overlays are laid over (OUTRIGGER_ENV)
  --log-level LEVEL   trace, debug, info, warn, error or fatal (info)

SIGTERM drains: readiness is off at once, listeners close 5 s later, what is in flight is finished. Ctrl-C does the
same without the 5 s. A second signal ends it at once. SIGHUP reloads and opens a moved audit file anew.

Exit code 0, 1 configuration, 2 usage, 3 cannot listen, 4 drained but something had to be cut.
`,
  run: async (args, io) => {
    const options = parse(args)
    if (typeof options === 'string') {
      io.stderr(`outrigger run: ${options}\n`)
      return 2
    }
    const { serve } = await import('../process/serve.ts')
    return serve(options, io, outriggerVersion())
  },
}

function parse(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        config: { type: 'string', short: 'c', multiple: true },
        env: { type: 'string' },
        'log-level': { type: 'string' },
      },
    })
    return {
      sources: values.config ?? ['./outrigger.yaml'],
      // An empty variable is one that is not set.
      env: values.env ?? (process.env['OUTRIGGER_ENV'] === '' ? undefined : process.env['OUTRIGGER_ENV']),
      level: values['log-level'] ?? 'info',
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
