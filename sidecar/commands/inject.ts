import { parseArgs } from 'node:util'
import type { Finding } from '../../injector/manifest.ts'
import type { Command, CommandOutput } from './command.ts'
import { forEachManifest } from './manifests.ts'
import { isWanted } from '../../injector/report.ts'
import { injectorSettings } from './injector-settings.ts'

/** `outrigger inject`: adds the sidecar to the pods of Kubernetes manifests. */
export const inject: Command = {
  name: 'inject',
  summary: 'add the sidecar to the pods of Kubernetes manifests',
  help: `Usage: outrigger inject [OPTIONS] PATH... | -

Reads manifests from files, from folders (*.yaml, *.yml, *.json) or from standard input (-), and writes them to standard
output with the sidecar in every pod: Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job,
CronJob, PodTemplate, and Lists of these. Anything else passes as it is. What was done, and why not, is said on standard
error. Injecting again changes nothing.

  --kubernetes-version V  of the cluster (1.32): native sidecars from 1.29
  --image IMAGE           of the sidecar (outrigger:VERSION)
  --config-map NAME       whose files join the configuration in each pod
  --namespace NAME        of pods whose manifest does not say
  --settings FILE         all settings of the injector, as YAML; options go before
  --check                 writes no manifest: says for each pod whether it would be injected and why (not), and for each
                          port of a Service whether it passes the sidecar

Exit code 0; 1 where a manifest cannot be read, and with --check where a pod is not injected for another reason than
that it says so, or where a Service passes by a sidecar.
`,
  run,
}

async function run(args: string[], io: CommandOutput): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'string') return usage(options, io)
  // Who calls the command on a manifest wants it; the pod has the last word.
  const given = await injectorSettings({ ...options, inject: 'enabled' })
  if (typeof given === 'string') return usage(given, io)
  // zod and yaml are loaded by the command that needs them, not by the process that serves.
  const { injectManifest } = await import('../../injector/manifest.ts')
  const { checkServices } = await import('../../injector/services.ts')
  const done = forEachManifest(options.paths, text => injectManifest(text, given.settings))
  if (typeof done === 'string') {
    io.stderr(`outrigger inject: ${done}\n`)
    return 1
  }
  const { findings, notes } = done
  const services = checkServices(done.objects, findings)
  const out = (text: string): void => (options.check ? io.stdout(text) : io.stderr(text))
  for (const finding of findings) out(describe(finding))
  for (const note of notes) out(`note: ${note}\n`)
  for (const { name, passes, detail } of services)
    out(`${name}: ${passes ? 'passes' : 'does not pass'}, ${detail}\n`)
  if (findings.length === 0) out('there is no pod in it\n')
  if (!options.check) {
    io.stdout(done.text)
    return 0
  }
  const isFine = findings.every(({ report }) => report.reason === null || isWanted(report.reason))
  const injected = new Set(findings.filter(({ report }) => report.outcome === 'injected'))
  const isPassed = injected.size === 0 || services.every(({ passes }) => passes)
  return isFine && isPassed ? 0 : 1
}

function usage(problem: string, io: CommandOutput): number {
  io.stderr(`outrigger inject: ${problem}; see outrigger inject --help\n`)
  return 2
}

function readOptions(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        'kubernetes-version': { type: 'string' },
        image: { type: 'string' },
        'config-map': { type: 'string' },
        namespace: { type: 'string' },
        settings: { type: 'string' },
        check: { type: 'boolean', default: false },
      },
    })
    if (positionals.length === 0) return 'name a file, a folder, or - for standard input'
    return { ...values, paths: positionals }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function describe({ place, report }: Finding): string {
  const { outcome, mode, reason, detail, ports, notes } = report
  let text =
    outcome === 'injected'
      ? `${place.name}: injected (${mode}), ${detail}\n`
      : `${place.name}: skipped, ${reason}: ${detail}\n`
  for (const { container, name, declared, sidecar, app } of ports) {
    if (sidecar === null) continue
    const label = name === null ? '' : ` (${name})`
    text += `  ${container} ${declared}${label}: the sidecar listens on ${sidecar}, the app on ${app}\n`
  }
  for (const note of notes) text += `  note: ${note}\n`
  return text
}
