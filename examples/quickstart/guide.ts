import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Port } from './ports.ts'

/** The text that the reload step asks the user to change. */
const GREETING = 'Hello from the edge'

/**
 * What the quick start prints once everything serves: what to try, each command with the answer to expect.
 * `configFolder` is where the three configurations lie; `milliseconds` how long the start took.
 */
export function guide(ports: readonly Port[], configFolder: string, milliseconds: number): string {
  const port = (variable: string): number => {
    const found = ports.find(candidate => candidate.variable === variable)
    if (found === undefined) throw new Error(`no port ${variable}`)
    return found.number
  }
  const edge = `http://127.0.0.1:${port('EDGE_PORT')}`
  const file = path.join(configFolder, 'edge', 'outrigger.yaml')
  const line =
    readFileSync(file, 'utf8')
      .split('\n')
      .findIndex(text => text.includes(GREETING)) + 1
  const shown = path.relative(process.cwd(), file)
  return `
Ready after ${(milliseconds / 1000).toFixed(1)} s: an edge, and two services with a sidecar each.

  client -> edge :${port('EDGE_PORT')} -> sidecar :${port('ORDERS_INBOUND_PORT')} -> orders :${port('ORDERS_PORT')}
  orders -> sidecar :${port('ORDERS_OUTBOUND_PORT')} -> sidecar :${port('USERS_INBOUND_PORT')} -> users :${port('USERS_PORT')}

Try in another terminal:

  curl -i ${edge}/api/orders
      200: the orders, through the edge and the sidecar of orders
  curl -i ${edge}/api/orders/1
      200: one order with its customer's name, for which orders asked users through its sidecar
  curl -i -H 'content-type: application/json' -d '{"userId":"2","item":"ink","quantity":1}' ${edge}/api/orders
      201: a new order
  curl -i ${edge}/api/users/2
      200: a user
  curl -i ${edge}/nowhere
      404: application/problem+json with the reason no_route

Change the configuration while it serves: in ${shown === '' || shown.startsWith('..') ? file : shown}
line ${line}, replace "${GREETING}" by anything, save, and ask again:

  curl -i ${edge}/hello
      200: the new text; a file with a mistake changes nothing, and the log says where it is

Metrics, and what each proxy is doing (edge, sidecar of orders, sidecar of users):

  curl http://127.0.0.1:${port('EDGE_ADMIN_PORT')}/metrics
  curl http://127.0.0.1:${port('ORDERS_ADMIN_PORT')}/metrics
  curl http://127.0.0.1:${port('USERS_ADMIN_PORT')}/upstreams

Ctrl-C stops everything.
`
}
