import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import type { Command, CommandOutput } from './command.ts'
import { injectorSettings } from './injector-settings.ts'

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Milliseconds for an answer of the API server, which itself waits for ours: 5 s, as the manifests have it. */
const API_MS = 3_000

/** `outrigger injector`: the admission webhook that adds the sidecar to pods as they are created. */
export const injector: Command = {
  name: 'injector',
  summary: 'run the Kubernetes admission webhook that adds the sidecar to pods',
  help: `Usage: outrigger injector [OPTIONS]

Answers AdmissionReviews (admission.k8s.io/v1) at https://:8443/inject with what "outrigger inject" does. Runs in a pod: the
API server and its own account are those of the pod. Several replicas share their certificates in a Secret, renew them at
half of their life, and keep caBundle of the MutatingWebhookConfiguration.

  --port PORT             of the webhook (8443)
  --admin-port PORT       of /healthz, /readyz and /metrics (9901)
  --address ADDRESS       where both listen (all addresses)
  --settings FILE         all settings of the injector, as YAML; options go before
  --image IMAGE           of the sidecar (outrigger:VERSION)
  --config-map NAME       whose files join the configuration in each pod
  --kubernetes-version V  of the cluster, in place of what its API server says
  --namespace NAME        where the injector runs (POD_NAMESPACE, else that of its account)
  --service NAME          its Service (outrigger-injector)
  --secret NAME           where the certificates are kept (outrigger-injector-tls)
  --webhook NAME          the MutatingWebhookConfiguration (outrigger-injector)
  --tls-cert FILE         a certificate that somebody else renews, such as cert-manager, who then keeps caBundle too
  --tls-key FILE          its key
  --service-account DIR   token, ca.crt and namespace (${SERVICE_ACCOUNT})
  --log-level LEVEL       trace, debug, info, warn, error or fatal (info)

SIGTERM drains: /readyz is off at once, the webhook closes 5 s later, what is in flight is finished. Ctrl-C does the same
without the 5 s. A second signal ends it at once.

Exit code 0, 1 settings, 2 usage, 3 cannot listen, 4 drained but something had to be cut.
`,
  run,
}

async function run(args: string[], io: CommandOutput): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'string') return usage(options, io)
  const { ProcessLog, isLogLevel } = await import('../telemetry/process-log.ts')
  const level = options['log-level']
  if (!isLogLevel(level)) return usage(`${level} is no log level`, io)
  // `--namespace` is that of the injector here: pods say theirs.
  const given = await injectorSettings({ ...options, namespace: undefined, inject: 'disabled' })
  if (typeof given === 'string') {
    io.stderr(`outrigger injector: ${given}\n`)
    return 1
  }
  const { settings } = given
  const { inClusterSettings } = await import('../kubernetes/api-settings.ts')
  const server = inClusterSettings(process.env, options['service-account'])
  if (server === null) return usage('it runs in a pod: KUBERNETES_SERVICE_HOST is not set', io)
  const { POD_NAMESPACE, POD_NAME } = process.env
  const namespace = options.namespace ?? (POD_NAMESPACE || namespaceIn(server.namespaceFile))
  if (namespace === null) return usage('its namespace is not known; say --namespace', io)

  const { openWriter } = await import('../telemetry/output.ts')
  const { systemClock } = await import('../runtime/clock.ts')
  const { lastResort } = await import('../process/last-resort.ts')
  const { ApiClient } = await import('../kubernetes/api-client.ts')
  const { Injector } = await import('../../injector/webhook/injector.ts')
  const writer = openWriter(2, 0)
  const log = new ProcessLog(writer, process.stderr.isTTY ? 'text' : 'json', level, systemClock)
  lastResort(log, () => writer.flushSync())
  const { 'tls-cert': cert, 'tls-key': key } = options
  const webhook = new Injector(
    {
      settings,
      kubernetesVersion: given.isVersionGiven ? settings.kubernetesVersion : null,
      port: options.ports.webhook,
      adminPort: options.ports.admin,
      ...(options.address === undefined ? {} : { address: options.address }),
      namespace,
      service: options.service,
      secret: options.secret,
      webhookConfiguration: options.webhook,
      certificate: cert === undefined || key === undefined ? null : { cert, key },
      instance: POD_NAME || hostname(),
    },
    new ApiClient(server, { timeout: API_MS }),
    systemClock,
    log,
  )
  const ending = Promise.withResolvers<{ interactive: boolean }>()
  onSignals(ending.resolve, () => webhook.force())
  const ports = await webhook.start()
  if (typeof ports === 'string') {
    io.stderr(`outrigger injector: ${ports}\n`)
    return 3
  }
  const { interactive } = await ending.promise
  const cut = await webhook.stop(interactive)
  log.info('stopped', { cut })
  await writer.close()
  return cut === 0 ? 0 : 4
}

function usage(problem: string, io: CommandOutput): number {
  io.stderr(`outrigger injector: ${problem}; see outrigger injector --help\n`)
  return 2
}

function readOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        port: { type: 'string', default: '8443' },
        'admin-port': { type: 'string', default: '9901' },
        address: { type: 'string' },
        settings: { type: 'string' },
        image: { type: 'string' },
        'config-map': { type: 'string' },
        'kubernetes-version': { type: 'string' },
        namespace: { type: 'string' },
        service: { type: 'string', default: 'outrigger-injector' },
        secret: { type: 'string', default: 'outrigger-injector-tls' },
        webhook: { type: 'string', default: 'outrigger-injector' },
        'tls-cert': { type: 'string' },
        'tls-key': { type: 'string' },
        'service-account': { type: 'string', default: SERVICE_ACCOUNT },
        'log-level': { type: 'string', default: 'info' },
      },
    })
    const ports = { webhook: portOf(values.port), admin: portOf(values['admin-port']) }
    if (ports.webhook === null) return `--port: ${values.port} is no port`
    if (ports.admin === null) return `--admin-port: ${values['admin-port']} is no port`
    if ((values['tls-cert'] === undefined) !== (values['tls-key'] === undefined))
      return '--tls-cert and --tls-key go together'
    for (const name of ['namespace', 'service', 'secret', 'webhook'] as const) {
      const value = values[name]
      if (value !== undefined && !NAME.test(value)) return `--${name}: "${value}" is no name of Kubernetes`
    }
    return { ...values, ports: { webhook: ports.webhook, admin: ports.admin } }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** RFC 1123, as names of objects are. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

function portOf(text: string): number | null {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : null
}

function namespaceIn(file: string | null): string | null {
  try {
    const text = file === null ? '' : readFileSync(file, 'utf8').trim()
    return NAME.test(text) ? text : null
  } catch {
    return null
  }
}

function onSignals(end: (how: { interactive: boolean }) => void, force: () => void): void {
  let signals = 0
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      signals++
      if (signals === 1) end({ interactive: signal === 'SIGINT' })
      else force()
    })
  }
}
