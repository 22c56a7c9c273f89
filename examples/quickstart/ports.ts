import net from 'node:net'

/** A port of an example: the environment variable that carries it, and what listens there. */
export interface Port {
  readonly variable: string
  readonly number: number
  readonly what: string
}

/** A port as a distance from a base, by which all ports of an example move. */
export type Place = readonly [variable: string, distance: number, what: string]

/**
 * The ports of the quick start. With the default base 8000 the outbound listeners stand on 15001 and 15002 and the admin
 * listeners on 9901 to 9903, as in the documentation.
 */
export const PLACES: readonly Place[] = [
  ['EDGE_PORT', 0, 'the edge'],
  ['ORDERS_INBOUND_PORT', 1, 'the sidecar of orders, inbound'],
  ['USERS_INBOUND_PORT', 2, 'the sidecar of users, inbound'],
  ['ORDERS_PORT', 11, 'the orders service'],
  ['USERS_PORT', 12, 'the users service'],
  ['EDGE_ADMIN_PORT', 1901, "the edge's admin listener"],
  ['ORDERS_ADMIN_PORT', 1902, "the admin listener of orders' sidecar"],
  ['USERS_ADMIN_PORT', 1903, "the admin listener of users' sidecar"],
  ['ORDERS_OUTBOUND_PORT', 7001, 'the sidecar of orders, outbound'],
  ['USERS_OUTBOUND_PORT', 7002, 'the sidecar of users, outbound'],
]

/** All ports, counted from `base`. */
export function portsFrom(places: readonly Place[], base: number): readonly Port[] {
  return places.map(([variable, distance, what]) => ({ variable, number: base + distance, what }))
}

/** The highest base whose last port is still one. */
export function highestBase(places: readonly Place[]): number {
  return 65_535 - Math.max(...places.map(([, distance]) => distance))
}

/** The ports as environment variables, as the configuration files refer to them. */
export function environmentOf(ports: readonly Port[]): Record<string, string> {
  return Object.fromEntries(ports.map(port => [port.variable, String(port.number)]))
}

/** The first port that cannot be listened on, with the reason (`EADDRINUSE`, `EACCES`), or null. */
export async function firstBusy(ports: readonly Port[]): Promise<{ port: Port; code: string } | null> {
  for (const port of ports) {
    const code = await tryListening(port.number)
    if (code !== null) return { port, code }
  }
  return null
}

function tryListening(port: number): Promise<string | null> {
  return new Promise(resolve => {
    const server = net.createServer()
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(null)))
  })
}
