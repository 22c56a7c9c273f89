import type { Wishes } from './annotations.ts'
import type { Container } from './pod.ts'
import type { PassedPort } from './ports.ts'
import { GENERATED, OWN_CONFIG } from './annotations.ts'
import { SIDECAR, VOLUME } from './selection.ts'

/** How long a start may take, in seconds. */
const START_SECONDS = 120

/** The sidecar, for a pod with the restricted profile: it needs no right at all. */
export function sidecarContainer(
  { settings }: Wishes,
  passed: readonly PassedPort[],
  mode: 'native' | 'classic',
): Container {
  const { ports, resources } = settings
  const ready = () => ({ httpGet: { path: '/readyz', port: ports.health } })
  const names = passed.filter(port => port.by === 'name')
  return {
    name: SIDECAR,
    image: settings.image,
    ...(settings.imagePullPolicy === undefined ? {} : { imagePullPolicy: settings.imagePullPolicy }),
    ...(mode === 'native' ? { restartPolicy: 'Always' } : {}),
    args: ['run', '-c', '/etc/outrigger', '--log-level', settings.logLevel],
    ports: [
      ...names.map(({ name, sidecar }) => ({ name, containerPort: sidecar, protocol: 'TCP' })),
      { containerPort: ports.health, protocol: 'TCP' },
    ],
    resources: {
      requests: { cpu: resources.cpuRequest, memory: resources.memoryRequest },
      ...limitsOf(resources.cpuLimit, resources.memoryLimit),
    },
    // The kubelet starts the next container when this one is ready: at once a native one, after its hook a classic one.
    startupProbe: { ...ready(), periodSeconds: 1, failureThreshold: START_SECONDS },
    readinessProbe: { ...ready(), periodSeconds: 5 },
    ...(mode === 'classic' ? { lifecycle: { postStart: { exec: { command: waitFor(ports.admin) } } } } : {}),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [{ name: VOLUME, mountPath: '/etc/outrigger', readOnly: true }],
  }
}

function limitsOf(cpu: string | undefined, memory: string | undefined): object {
  if (cpu === undefined && memory === undefined) return {}
  return { limits: { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) } }
}

function waitFor(admin: number): string[] {
  return [
    'outrigger',
    'healthcheck',
    '--ready',
    '--wait',
    String(START_SECONDS),
    '--address',
    `127.0.0.1:${admin}`,
  ]
}

/** Where the sidecar reads: annotations of the pod, and the ConfigMap. The kubelet renews all of them together. */
export function configVolume({ settings, hasOwnConfig }: Wishes): { name: string } & Record<string, unknown> {
  const item = (path: string, annotation: string): object => ({
    path,
    fieldRef: { fieldPath: `metadata.annotations['${annotation}']` },
  })
  const items = [
    item('outrigger-injected.yaml', GENERATED),
    ...(hasOwnConfig ? [item('outrigger-pod.yaml', OWN_CONFIG)] : []),
  ]
  return {
    name: VOLUME,
    projected: {
      sources: [
        { downwardAPI: { items } },
        ...(settings.configMap === undefined ? [] : [{ configMap: { name: settings.configMap } }]),
      ],
    },
  }
}
