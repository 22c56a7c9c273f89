import type { Json } from './kubernetes.ts'

type Fields = Readonly<Record<string, Json | undefined>>

/** Volumes that the restricted profile takes. */
const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]
const SAFE_SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
]

/**
 * What the restricted profile of the Pod Security Standards has against a pod, a line each: what its admission plugin would say, in
 * other words.
 */
export function againstRestricted(spec: object): string[] {
  const pod = spec as Fields
  const context = fields(pod['securityContext'])
  const found = ['hostNetwork', 'hostPID', 'hostIPC'].filter(key => pod[key] === true)
  for (const volume of list(pod['volumes'])) {
    const kind = Object.keys(volume).find(key => key !== 'name') ?? 'emptyDir'
    if (!VOLUMES.includes(kind)) found.push(`volume ${kind}`)
  }
  for (const { name } of list(context['sysctls']))
    if (typeof name !== 'string' || !SAFE_SYSCTLS.includes(name)) found.push(`sysctl ${JSON.stringify(name)}`)
  for (const container of [...list(pod['initContainers']), ...list(pod['containers'])])
    for (const problem of againstContainer(container, context))
      found.push(`${JSON.stringify(container['name'])}: ${problem}`)
  return found
}

/** The same for one container. @param pod the security context of its pod, which holds where it says nothing itself */
export function againstContainer(container: object, pod: object = {}): string[] {
  const own = fields((container as Fields)['securityContext'])
  const both: Fields = { ...pod, ...own }
  const capabilities = fields(own['capabilities'])
  const added = capabilities['add'] ?? []
  const rules: readonly (readonly [string, boolean])[] = [
    ['privileged', own['privileged'] === true],
    ['allowPrivilegeEscalation', own['allowPrivilegeEscalation'] !== false],
    ['capabilities.drop', !JSON.stringify(capabilities['drop'] ?? []).includes('"ALL"')],
    ['capabilities.add', Array.isArray(added) && added.some(name => name !== 'NET_BIND_SERVICE')],
    ['runAsNonRoot', both['runAsNonRoot'] !== true],
    ['runAsUser', both['runAsUser'] === 0],
    [
      'seccompProfile',
      !['RuntimeDefault', 'Localhost'].some(type => fields(both['seccompProfile'])['type'] === type),
    ],
    ['procMount', own['procMount'] !== undefined && own['procMount'] !== 'Default'],
    ['hostPort', list((container as Fields)['ports']).some(port => Boolean(port['hostPort']))],
  ]
  return rules.filter(([, broken]) => broken).map(([name]) => name)
}

const fields = (value: Json | undefined): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}

const list = (value: Json | undefined): Fields[] => (Array.isArray(value) ? value.map(fields) : [])
