import { z } from 'zod'
import { readUpstreams } from './upstream-name.ts'

const port = z.int().min(1024).max(65_535)
const quantity = z
  .string()
  .regex(/^\d+(?:\.\d+)?(?:m|k|M|G|Ki|Mi|Gi)?$/, 'is no quantity, such as 100m or 64Mi')
const UNITS: Readonly<Record<string, number>> = {
  m: 0.001,
  k: 1000,
  M: 1000 ** 2,
  G: 1000 ** 3,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
}

/** Cores or bytes of a quantity. */
function amountOf(text: string): number {
  const number = Number.parseFloat(text)
  return number * (UNITS[text.replace(/^[\d.]+/, '')] ?? 1)
}

const upstreams = z
  .array(z.string())
  .default([])
  .superRefine((list, context) => {
    const read = readUpstreams(list.join(','))
    if (typeof read === 'string') context.addIssue({ code: 'custom', message: read })
  })

/** The levels of the process log. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

/** Settings of the injector: one set for all pods, of which annotations of a pod override some. */
export const settingsSchema = z.strictObject({
  /** The image of the sidecar. */
  image: z.string().min(1),
  /** An image with a shell, `iptables` and `ip6tables`, for pods that ask for capture. Without it none may. */
  captureImage: z.string().min(1).optional(),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).optional(),
  /** Of the cluster, `1.32`. It decides how a sidecar is declared. */
  kubernetesVersion: z
    .string()
    .regex(/^v?1\.\d{1,3}(?:[.+].*)?$/, 'is no version, such as 1.32')
    .default('1.32'),
  /** Ports in the pod that the sidecar may take. */
  ports: z
    .strictObject({
      /** The admin listener, on loopback. */
      admin: port.default(9901),
      /** Answers the kubelet and Prometheus. */
      health: port.default(9902),
      /** Passes on the probes of the app. */
      appProbes: port.default(9903),
      /** The first for names that move to the sidecar. */
      inboundFrom: port.default(15_006),
      /** The listener of HTTP_PROXY, on loopback. */
      outbound: port.default(15_001),
      /** The first for upstreams, each with a listener on loopback. */
      upstreamsFrom: port.default(15_101),
      /** The first for apps that take theirs from PORT. */
      appFrom: port.default(16_000),
    })
    .prefault({}),
  /** Of the sidecar. There are always requests: autoscaling by utilisation needs them of every container. */
  resources: z
    .strictObject({
      cpuRequest: quantity.default('50m'),
      memoryRequest: quantity.default('96Mi'),
      cpuLimit: quantity.optional(),
      memoryLimit: quantity.optional(),
    })
    .superRefine((given, context) => {
      // The API server would refuse the pod, and with it a workload that was fine.
      for (const [limit, request] of [
        ['cpuLimit', 'cpuRequest'],
        ['memoryLimit', 'memoryRequest'],
      ] as const) {
        const most = given[limit]
        if (most === undefined || amountOf(most) >= amountOf(given[request])) continue
        context.addIssue({
          code: 'custom',
          path: [limit],
          message: `${most} is less than the request ${given[request]}`,
        })
      }
    })
    .prefault({}),
  /** The name of a ConfigMap whose files join what the injector writes; none: annotations alone. */
  configMap: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, 'is no name of a ConfigMap')
    .optional(),
  logLevel: z.enum(LOG_LEVELS).default('info'),
  outbound: z
    .strictObject({
      /** `users` or `users=users.shop:8080`: for all pods; the annotation of a pod replaces them. */
      upstreams,
      /** Whether apps get HTTP_PROXY without asking. */
      httpProxy: z.boolean().default(false),
      clusterDomain: z.string().min(1).default('cluster.local'),
      /** More hosts for NO_PROXY. */
      noProxy: z.array(z.string()).default([]),
    })
    .prefault({}),
  /** Whether a pod is injected where neither it nor its namespace says. */
  inject: z.enum(['enabled', 'disabled']).default('disabled'),
  /** Where the pod is; its own `metadata.namespace` goes before the name. */
  namespace: z
    .strictObject({
      name: z.string().optional(),
      labels: z.record(z.string(), z.string()).default({}),
    })
    .prefault({}),
  /** Where the injector itself runs. */
  ownNamespace: z.string().default('outrigger-system'),
})

/** The settings, with every default. */
export type Settings = z.infer<typeof settingsSchema>

/**
 * Reads settings.
 * @returns them with their defaults, or everything that is wrong, a line each
 */
export function readSettings(value: unknown): Settings | string {
  const read = settingsSchema.safeParse(value)
  if (read.success) return read.data
  return read.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('\n')
}

/** The minor version of the cluster: 32 for `v1.32.4`. */
export function minorOf(settings: Settings): number {
  return Number(/^v?1\.(\d+)/.exec(settings.kubernetesVersion)?.[1] ?? 0)
}
