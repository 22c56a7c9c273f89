import type { Command } from './commands/command.ts'

/** Each command's module is loaded when it is called, so that none pays for another's. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./commands/run.ts')).run,
  check: async () => (await import('./commands/check.ts')).check,
  explain: async () => (await import('./commands/explain.ts')).explain,
  schema: async () => (await import('./commands/schema.ts')).schema,
  certs: async () => (await import('./commands/certs.ts')).certs,
  keys: async () => (await import('./commands/keys.ts')).keys,
  healthcheck: async () => (await import('./commands/healthcheck.ts')).healthcheck,
  inject: async () => (await import('./commands/inject.ts')).inject,
  uninject: async () => (await import('./commands/uninject.ts')).uninject,
  injector: async () => (await import('./commands/injector.ts')).injector,
  version: async () => (await import('./commands/version.ts')).version,
}

const io = {
  stdout: (text: string) => void process.stdout.write(text),
  stderr: (text: string) => void process.stderr.write(text),
}

async function main(args: readonly string[]): Promise<number> {
  const [first = '--help', ...rest] = args
  const name = first === '--version' || first === '-v' ? 'version' : first
  if (name === '--help' || name === '-h' || name === 'help') {
    io.stdout(await overview())
    return 0
  }
  const load = COMMANDS[name]
  if (load === undefined) {
    io.stderr(`outrigger: there is no command ${JSON.stringify(name)}; "outrigger --help" lists them\n`)
    return 2
  }
  const command = await load()
  if (rest.includes('--help') || rest.includes('-h')) {
    io.stdout(command.help)
    return 0
  }
  return command.run(rest, io)
}

async function overview(): Promise<string> {
  let text = 'outrigger COMMAND [OPTIONS]\n\n'
  for (const load of Object.values(COMMANDS)) {
    const { name, summary } = await load()
    text += `  ${name.padEnd(12)} ${summary}\n`
  }
  return text + '\n"outrigger COMMAND --help" says more of each.\n'
}

process.exitCode = await main(process.argv.slice(2))
