import type { Wishes } from './annotations.ts'
import type { Container, EnvVar } from './pod.ts'
import type { PassedPort } from './ports.ts'
import { variableOf } from './upstream-name.ts'

/** Containers with the variables of the injector. */
export interface WithVariables {
  readonly containers: readonly Container[]
  readonly notes: readonly string[]
}

/** What tells every container where the upstreams are: `USERS_URL`, and HTTP_PROXY where that is wanted. */
function variablesOf({ settings, upstreams, httpProxy }: Wishes): EnvVar[] {
  const { ports, outbound } = settings
  const variables = upstreams.map(({ name }, index) => ({
    name: variableOf(name),
    value: `http://127.0.0.1:${ports.upstreamsFrom + index}`,
  }))
  if (!httpProxy) return variables
  const proxy = `http://127.0.0.1:${ports.outbound}`
  const direct = [
    'localhost',
    '127.0.0.0/8',
    '127.0.0.1',
    '::1',
    '169.254.0.0/16',
    '169.254.169.254',
    'fe80::/10',
  ]
  const cluster = ['.svc', `.${outbound.clusterDomain}`, 'kubernetes', 'kubernetes.default']
  const none = [...direct, ...cluster, ...outbound.noProxy].join(',')
  // Programs differ in which of the two they read.
  for (const [name, value] of [
    ['HTTP_PROXY', proxy],
    ['http_proxy', proxy],
    ['NO_PROXY', none],
    ['no_proxy', none],
  ] as const)
    variables.push({ name, value })
  return variables
}

/** Adds what is not there yet: what a container says itself stays. */
export function addVariables(containers: readonly Container[], wishes: Wishes): WithVariables {
  const variables = variablesOf(wishes)
  const notes = wishes.httpProxy
    ? ['plain HTTP calls to hosts that are no upstream get 502 by HTTP_PROXY, unless NO_PROXY names them']
    : []
  const result = containers.map(container => {
    const own = new Set((container.env ?? []).map(({ name }) => name))
    for (const { name } of variables.filter(one => own.has(one.name)))
      notes.push(`${container.name} sets ${name} itself: it stays`)
    const added = variables.filter(({ name }) => !own.has(name))
    return added.length === 0 ? container : { ...container, env: [...(container.env ?? []), ...added] }
  })
  return { containers: result, notes }
}

/** Tells containers by PORT where they have to listen. */
export function setPorts(containers: readonly Container[], passed: readonly PassedPort[]): Container[] {
  return containers.map(container => {
    const moved = passed.find(port => port.by === 'move-port' && port.container === container.name)
    if (moved === undefined) return container
    const env = container.env ?? []
    const port = { name: 'PORT', value: String(moved.app) }
    const isThere = env.some(({ name }) => name === 'PORT')
    // At its place: later variables may refer to it.
    return {
      ...container,
      env: isThere ? env.map(one => (one.name === 'PORT' ? port : one)) : [...env, port],
    }
  })
}
