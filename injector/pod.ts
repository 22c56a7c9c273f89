import { z } from 'zod'

// What is read of a pod, and no more: anything else is kept as it is. A key may be there and empty (`env:`).

const metadataSchema = z.looseObject({
  name: z.string().nullish(),
  namespace: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
})

const portSchema = z.looseObject({
  name: z.string().nullish(),
  containerPort: z.int().min(1).max(65_535),
  protocol: z.string().nullish(),
  hostPort: z.int().nullish(),
})

const envSchema = z.looseObject({ name: z.string(), value: z.string().nullish() })

const target = z.union([z.int(), z.string()])

const httpGetSchema = z.looseObject({
  path: z.string().nullish(),
  port: target,
  host: z.string().nullish(),
  scheme: z.string().nullish(),
})

const handlerSchema = z.looseObject({
  httpGet: httpGetSchema.nullish(),
  tcpSocket: z.looseObject({ port: target, host: z.string().nullish() }).nullish(),
  grpc: z.looseObject({ port: z.int() }).nullish(),
})

const containerSchema = z.looseObject({
  name: z.string().min(1),
  restartPolicy: z.string().nullish(),
  ports: z.array(portSchema).nullish(),
  env: z.array(envSchema).nullish(),
  readinessProbe: handlerSchema.nullish(),
  livenessProbe: handlerSchema.nullish(),
  startupProbe: handlerSchema.nullish(),
  lifecycle: z
    .looseObject({ postStart: handlerSchema.nullish(), preStop: handlerSchema.nullish() })
    .nullish(),
})

const podSchema = z.looseObject({
  metadata: metadataSchema.nullish(),
  spec: z.looseObject({
    hostNetwork: z.boolean().nullish(),
    restartPolicy: z.string().nullish(),
    terminationGracePeriodSeconds: z.int().nullish(),
    os: z.looseObject({ name: z.string() }).nullish(),
    nodeSelector: z.record(z.string(), z.string()).nullish(),
    securityContext: z
      .looseObject({ sysctls: z.array(z.looseObject({ name: z.string() })).nullish() })
      .nullish(),
    containers: z.array(containerSchema).min(1),
    initContainers: z.array(containerSchema).nullish(),
    volumes: z.array(z.looseObject({ name: z.string() })).nullish(),
  }),
})

/** A port of a container. */
export type ContainerPort = z.infer<typeof portSchema>
/** A variable of a container. */
export type EnvVar = z.infer<typeof envSchema>
/** What a probe or a hook does. */
export type Handler = z.infer<typeof handlerSchema>
/** A container of a pod. */
export type Container = z.infer<typeof containerSchema>
/** A pod, or the template of one. */
export type Pod = z.infer<typeof podSchema>

/**
 * Looks at whether a value is a pod.
 * @returns it, its keys in their own order; or what is wrong with it
 */
export function readPod(value: unknown): Pod | string {
  const { success, error } = podSchema.safeParse(value)
  // Checked just now. What the schema answers has its keys in another order.
  if (success) return value as Pod
  const [issue] = error.issues
  return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`
}

/** The annotations of a pod. */
export function annotationsOf(pod: Pod): Readonly<Record<string, string>> {
  return pod.metadata?.annotations ?? {}
}

/** The containers that run as long as the pod does: those of the app, and its own sidecars among the init containers. */
export function runningContainers(pod: Pod): Container[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(one => one.restartPolicy === 'Always')
  return [...pod.spec.containers, ...sidecars]
}

/** Whether a port takes TCP. */
export function isTcp(port: ContainerPort): boolean {
  return (port.protocol ?? 'TCP') === 'TCP'
}
