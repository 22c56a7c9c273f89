import type { Command } from './command.ts'
import { forEachManifest } from './manifests.ts'

/** `outrigger uninject`: takes the sidecar out again. */
export const uninject: Command = {
  name: 'uninject',
  summary: 'take the sidecar out of the pods of Kubernetes manifests',
  help: `Usage: outrigger uninject PATH... | -

Reads manifests as "outrigger inject" does, and writes them as they were before it: annotation outrigger.dev/injected of
each pod says how. Pods without it pass as they are.

Exit code 0; 1 where a manifest cannot be read.
`,
  run: async (args, io) => {
    const option = args.find(arg => arg.startsWith('-') && arg !== '-')
    if (args.length === 0 || option !== undefined) {
      const problem =
        option === undefined ? 'name a file, a folder, or - for standard input' : `unexpected ${option}`
      io.stderr(`outrigger uninject: ${problem}; see outrigger uninject --help\n`)
      return 2
    }
    // yaml is loaded by the command that needs it, not by the process that serves.
    const { uninjectManifest } = await import('../../injector/manifest.ts')
    const done = forEachManifest(args, uninjectManifest)
    if (typeof done === 'string') {
      io.stderr(`outrigger uninject: ${done}\n`)
      return 1
    }
    for (const { place, report } of done.findings) io.stderr(`${place.name}: ${report.detail}\n`)
    for (const note of done.notes) io.stderr(`note: ${note}\n`)
    io.stdout(done.text)
    return 0
  },
}
