// mTLS between two sidecars: identities from `outrigger certs`, an allow list, and somebody who is not on it.
//   node examples/mtls/start.ts
//   node examples/mtls/start.ts --port-base 18000      every port counted from there instead of 8000
// Exit codes: 0 stopped by Ctrl-C, 1 something ended by itself, 2 usage, 3 a port is taken.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { endTogether, freePorts, optionsOf, proxy, rightNode, service } from '../quickstart/example.ts'
import { Fleet } from '../quickstart/fleet.ts'
import { printLine } from '../quickstart/lines.ts'
import { environmentOf } from '../quickstart/ports.ts'
import { PLACES } from './ports.ts'

const COMMAND = 'node examples/mtls/start.ts'
const here = import.meta.dirname
const root = path.join(here, '..', '..')
const configOf = (name: string): string => path.join(here, 'config', name, 'outrigger.yaml')

const node = rightNode(import.meta.filename)
const { 'port-base': base } = optionsOf(['port-base'], `${COMMAND} [--port-base NUMBER]`)
const ports = await freePorts(PLACES, base, COMMAND)

const certs = mkdtempSync(path.join(os.tmpdir(), 'outrigger-mtls-'))
process.once('exit', () => rmSync(certs, { recursive: true, force: true }))
const workloads = ['orders', 'users', 'intruder']
execFileSync(node, [
  path.join(root, 'sidecar', 'main.ts'),
  ...['certs', '--dir', certs, '--trust-domain', 'shop', ...workloads],
])

const fleet = new Fleet(node, { ...process.env, ...environmentOf(ports), CERTS: certs }, printLine)
endTogether(fleet)
await fleet.start([
  proxy('orders-sidecar', 0, configOf('orders')),
  proxy('users-sidecar', 0, configOf('users')),
  service('users', 1, path.join(root, 'examples', 'quickstart', 'users.ts')),
])
console.log(guide())

function guide(): string {
  const { ORDERS_OUTBOUND_PORT: outbound, USERS_INBOUND_PORT: inbound } = environmentOf(ports)
  const as = (name: string): string => `--cert ${certs}/${name}.crt --key ${certs}/${name}.key`
  const users = `--cacert ${certs}/ca.crt https://127.0.0.1:${inbound}/users/1`
  return `
  orders -> sidecar :${outbound} == mTLS ==> sidecar :${inbound} -> users

Try in another terminal:

  curl -i -H 'host: users' http://127.0.0.1:${outbound}/users/1
      200: orders calls users through both sidecars, as spiffe://shop/orders
  curl -i ${as('orders')} ${users}
      200: the same identity without its sidecar
  curl -i ${as('intruder')} ${users}
      403: a certificate of the same authority, but nobody that users expects
  curl -i --http1.1 ${users}
      no certificate, no handshake: curl says so and ends with 56

The certificates are in ${certs} until this stops. Ctrl-C stops everything.
`
}
