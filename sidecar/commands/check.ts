import { parseArgs } from 'node:util'
import type { ConfigError } from '../config/config-error.ts'
import { formatConfigErrors } from '../config/config-error.ts'
import type { LoadResult } from '../config/load-result.ts'
import type { Command, CommandOutput } from './command.ts'

/** `outrigger check`: whether a configuration would load, in every environment. */
export const check: Command = {
  name: 'check',
  summary: 'validate a configuration with every overlay that lies beside it',
  help: `Usage: outrigger check PATH... [--env NAME] [--no-secrets] [--format text|json]

Reads the files and folders as \`outrigger run\` would, and says everything that is wrong with them.

  --env NAME      only with the overlays of this environment; else without any and with each that lies there
  --no-secrets    leave \${env:...} and \${file:...} unresolved: for machines that do not have them
  --format json   for machines: { ok, environments: [{ env, ok, routes, errors, warnings }] }

Exit code 0 where everything loads, 1 where something does not.
`,
  run,
}

interface Report {
  readonly env: string | null
  readonly result: LoadResult
}

async function run(args: string[], io: CommandOutput): Promise<number> {
  const options = parse(args)
  if (typeof options === 'string') {
    io.stderr(`outrigger check: ${options}\n`)
    return 2
  }
  // zod and yaml are loaded by the command that needs them, not by the process that serves.
  const { loadConfig, environmentsOf } = await import('../config/load/load.ts')
  const { paths, secrets } = options
  const environments = options.env === undefined ? [undefined, ...environmentsOf(paths)] : [options.env]
  const reports = environments.map((env): Report => ({
    env: env ?? null,
    result: loadConfig(paths, { env, secrets }),
  }))
  const ok = reports.every(report => report.result.ok)
  if (options.format === 'json')
    io.stdout(`${JSON.stringify({ ok, environments: reports.map(asJson) }, null, 2)}\n`)
  else print(reports, paths, io)
  return ok ? 0 : 1
}

function parse(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        env: { type: 'string' },
        'no-secrets': { type: 'boolean' },
        format: { type: 'string' },
        config: { type: 'string', short: 'c', multiple: true },
      },
    })
    const format = values.format ?? 'text'
    if (format !== 'text' && format !== 'json') return `--format is text or json, not ${format}`
    const paths = [...positionals, ...(values.config ?? [])]
    const env = values.env ?? process.env['OUTRIGGER_ENV']
    return {
      paths: paths.length === 0 ? ['./outrigger.yaml'] : paths,
      env: env === '' ? undefined : env,
      secrets: values['no-secrets'] !== true,
      format,
    }
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? error.message) : String(error)
  }
}

function asJson({ env, result }: Report): object {
  if (!result.ok) return { env, ok: false, errors: result.errors, warnings: [] }
  const { routes, open } = count(result)
  return {
    env,
    ok: true,
    hash: result.config.hash,
    routes,
    unauthenticatedRoutes: open,
    errors: [],
    warnings: result.warnings,
  }
}

function print(reports: readonly Report[], paths: readonly string[], io: CommandOutput): void {
  // What is wrong in every environment is said once.
  const said = new Set<string>()
  const errors: ConfigError[] = []
  for (const { result } of reports) {
    for (const error of result.ok ? [] : result.errors) {
      const key = JSON.stringify(error)
      if (!said.has(key)) errors.push(error)
      said.add(key)
    }
  }
  if (errors.length > 0) io.stderr(`${formatConfigErrors(errors)}\n`)
  for (const { env, result } of reports) {
    const label = `${paths.join(' ')}${env === null ? '' : ` --env ${env}`}`
    if (!result.ok) {
      io.stdout(`${label}: ${result.errors.length === 1 ? '1 error' : `${result.errors.length} errors`}\n`)
      continue
    }
    const { listeners, routes, open, upstreams } = count(result)
    io.stdout(
      `${label}: ok, ${plural(listeners, 'listener')}, ${plural(routes, 'route')}, ${plural(upstreams, 'upstream')}\n`,
    )
    for (const warning of result.warnings) io.stdout(`  warning: ${warning}\n`)
    io.stdout(`  ${open === 1 ? '1 route is' : `${open} routes are`} without authentication\n`)
  }
}

function count({ config }: Extract<LoadResult, { ok: true }>) {
  const routes = config.listeners.flatMap(listener => listener.routes)
  return {
    listeners: config.listeners.length,
    routes: routes.length,
    open: routes.filter(({ policies }) => policies.authenticate === null).length,
    upstreams: Object.keys(config.upstreams).length,
  }
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
