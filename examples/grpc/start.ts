// gRPC through an edge and two sidecars: all four kinds of calls, gRPC-Web, and JSON beside it.
//   node examples/grpc/start.ts
//   node examples/grpc/start.ts --port-base 18000      every port counted from there instead of 8000
// Exit codes: 0 stopped by Ctrl-C, 1 something ended by itself, 2 usage, 3 a port is taken.
import path from 'node:path'
import { endTogether, freePorts, optionsOf, proxy, rightNode, service } from '../quickstart/example.ts'
import { Fleet } from '../quickstart/fleet.ts'
import { printLine } from '../quickstart/lines.ts'
import { environmentOf } from '../quickstart/ports.ts'
import { PLACES } from './ports.ts'

const COMMAND = 'node examples/grpc/start.ts'
const here = import.meta.dirname
const configOf = (name: string): string => path.join(here, 'config', name, 'outrigger.yaml')

const node = rightNode(import.meta.filename)
const { 'port-base': base } = optionsOf(['port-base'], `${COMMAND} [--port-base NUMBER]`)
const ports = await freePorts(PLACES, base, COMMAND)
const fleet = new Fleet(node, { ...process.env, ...environmentOf(ports) }, printLine)
endTogether(fleet)
await fleet.start([
  proxy('edge', 0, configOf('edge')),
  proxy('orders-sidecar', 0, configOf('orders')),
  proxy('users-sidecar', 0, configOf('users')),
  service('orders', 1, path.join(here, 'orders.ts')),
  service('users', 1, path.join(here, 'users.ts')),
])
console.log(guide())

function guide(): string {
  const { EDGE_PORT: edge, ORDERS_OUTBOUND_PORT: outbound, USERS_ADMIN_PORT: admin } = environmentOf(ports)
  const call = 'node examples/grpc/call.ts'
  const users = `http://127.0.0.1:${edge}/shop.Users`
  return `
  clients -> edge :${edge} -> sidecar -> users (gRPC)
                  \\-> sidecar -> orders (JSON) -> sidecar :${outbound} -> sidecar -> users

Try in another terminal:

  ${call} get 1 --port ${edge}
      1 Ada Byron
  ${call} get 9 --port ${edge}
      5 NOT_FOUND: no user 9
  ${call} watch 2 --port ${edge}
      2 Grace Murray
      2 Grace Murray II
      2 Grace Murray III
  ${call} look 1 3 --port ${edge}
      1 Ada Byron
      3 Edsger Wybe
  ${call} import Mary --port ${edge}
      12 UNIMPLEMENTED: no_route: No route matches the request
  ${call} import Mary Alan --port ${outbound} --host users
      imported 2
  curl -i http://127.0.0.1:${edge}/orders/1
      200: orders has asked users over gRPC for the customer's name
  curl -i -H 'content-type: application/grpc-web-text' -d AAAAAAMKATE= ${users}/Get
      200: get 1 as a browser asks it, in base64: a frame with the user, then one with the status
  curl -i -H 'content-type: application/grpc-web-text' -d AAAAAAMKATk= ${users}/Get
      200: nobody is called 9, which the field grpc-status says
  curl -i http://127.0.0.1:${admin}/upstreams
      200: what the sidecar of users knows of its service, which it asks by grpc.health.v1

Ctrl-C stops everything.
`
}
