import { existsSync, readFileSync } from 'node:fs'
import type { Command } from './command.ts'

/** The version of Outrigger, from its package. */
export function outriggerVersion(): string {
  // The compiled program stands one folder deeper, in dist/.
  const source = new URL('../../package.json', import.meta.url)
  const file = existsSync(source) ? source : new URL('../../../package.json', import.meta.url)
  const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (manifest === null || typeof manifest !== 'object' || !('version' in manifest)) return 'unknown'
  return String(manifest.version)
}

/** Prints the version of Outrigger and of the Node it runs on. */
export const version: Command = {
  name: 'version',
  summary: 'print the version',
  help: `outrigger version

Prints the version of Outrigger and of the Node it runs on.
`,
  run: async (args, io) => {
    if (args.length > 0) {
      io.stderr(`version: unexpected "${args[0]}"\n`)
      return 2
    }
    io.stdout(`outrigger ${outriggerVersion()} (node ${process.version})\n`)
    return 0
  },
}
