import type { Command, CommandOutput } from './command.ts'

/** `outrigger schema`: the JSON Schema of a configuration, for editors. */
export const schema: Command = {
  name: 'schema',
  summary: 'print the JSON Schema of a configuration',
  help: `Usage: outrigger schema

Prints the JSON Schema of a configuration file. An editor that is told of it completes keys and shows what they do:

  # yaml-language-server: $schema=./schema.json
`,
  run,
}

async function run(args: string[], io: CommandOutput): Promise<number> {
  if (args.length > 0) {
    io.stderr(`outrigger schema: takes no arguments, got ${args.join(' ')}\n`)
    return 2
  }
  // zod is loaded by the command that needs it, not by the process that serves.
  const { configJsonSchema } = await import('../config/load/json-schema.ts')
  io.stdout(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  return 0
}
