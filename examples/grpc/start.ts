// gRPC through an edge and two sidecars: all four kinds of calls, gRPC-Web, and JSON beside it.
//   node examples/grpc/start.ts
//   node examples/grpc/start.ts --port-base 18000      every port counted from there instead of 8000
// Exit codes: 0 stopped by Ctrl-C, 1 something ended by itself, 2 usage, 3 a port is taken.
import path from 'node:path'
import { parseArgs } from 'node:util'
import { pinnedNode, v8Flags } from '../../bin/pinned-node.js'
import { Fleet, type Member } from '../quickstart/fleet.ts'
import { environmentOf, firstBusy } from '../quickstart/ports.ts'
import { MAX_BASE, portsFrom } from './ports.ts'

const DEFAULT_BASE = 8000
const here = import.meta.dirname
const root = path.join(here, '..', '..')
const main = path.join(root, 'sidecar', 'main.ts')

const node = pinnedNode()
if (node === null) fail(2, `The example needs Node 26; this is ${process.version}. Run "npm ci" first.`)
if (Number(process.versions.node.split('.')[0]) < 26 && process.execve !== undefined)
  process.execve(node, [node, import.meta.filename, ...process.argv.slice(2)])

const ports = portsFrom(portBase())
const busy = await firstBusy(ports)
if (busy !== null)
  fail(
    3,
    `Port ${busy.port.number} (${busy.port.what}) cannot be used (${busy.code}). Other ports: node examples/grpc/start.ts --port-base 18000`,
  )

const fleet = new Fleet(node, { ...process.env, ...environmentOf(ports) }, (name, line) =>
  console.log(`${name.padEnd(14)} | ${line}`),
)
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(0))
void fleet.death.then(({ name, code, signal }) => {
  if (stopping) return
  console.error(`\n${name} ended by itself (${signal ?? `exit code ${code}`}). Stopping the rest.`)
  void stop(code === 3 ? 3 : 1)
})

await fleet.start([proxy('edge'), proxy('orders'), proxy('users'), service('orders'), service('users')])
console.log(guide())

function service(name: string): Member {
  const ready = (line: string): boolean => line.startsWith('listening on ')
  return { name, args: [path.join(here, `${name}.ts`)], rank: 1, ready }
}

function proxy(folder: string): Member {
  const file = path.join(here, 'config', folder, 'outrigger.yaml')
  const args = [...v8Flags(), main, 'run', '-c', file]
  return { name: `${folder}-sidecar`, args, rank: 0, ready: line => line.includes('"msg":"ready"') }
}

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

async function stop(code: number): Promise<void> {
  if (stopping) process.exit(1)
  stopping = true
  const late = await fleet.stop()
  if (late.length > 0) console.error(`Had to be killed: ${late.join(', ')}.`)
  else console.log('Everything is stopped.')
  process.exit(late.length > 0 ? 1 : code)
}

function portBase(): number {
  try {
    const { values } = parseArgs({ options: { 'port-base': { type: 'string' } } })
    const base = Number(values['port-base'] ?? DEFAULT_BASE)
    if (Number.isInteger(base) && base >= 1 && base <= MAX_BASE) return base
    fail(2, `--port-base is a whole number from 1 to ${MAX_BASE}, not "${values['port-base']}".`)
  } catch (error) {
    fail(2, error instanceof Error ? error.message : String(error))
  }
}

function fail(code: number, message: string): never {
  console.error(message)
  process.exit(code)
}
