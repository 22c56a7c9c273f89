// mTLS between two sidecars: identities from `outrigger certs`, an allow list, and somebody who is not on it.
//   node examples/mtls/start.ts
//   node examples/mtls/start.ts --port-base 18000      every port counted from there instead of 8000
// Exit codes: 0 stopped by Ctrl-C, 1 something ended by itself, 2 usage, 3 a port is taken.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
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
    `Port ${busy.port.number} (${busy.port.what}) cannot be used (${busy.code}). Other ports: node examples/mtls/start.ts --port-base 18000`,
  )

const certs = mkdtempSync(path.join(os.tmpdir(), 'outrigger-mtls-'))
process.once('exit', () => rmSync(certs, { recursive: true, force: true }))
const workloads = ['orders', 'users', 'intruder']
execFileSync(node, [main, 'certs', '--dir', certs, '--trust-domain', 'shop', ...workloads])

const fleet = new Fleet(node, { ...process.env, ...environmentOf(ports), CERTS: certs }, (name, line) =>
  console.log(`${name.padEnd(14)} | ${line}`),
)
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(0))
void fleet.death.then(({ name, code, signal }) => {
  if (stopping) return
  console.error(`\n${name} ended by itself (${signal ?? `exit code ${code}`}). Stopping the rest.`)
  void stop(code === 3 ? 3 : 1)
})

const service = {
  name: 'users',
  args: [path.join(root, 'examples', 'quickstart', 'users.ts')],
  rank: 1,
  ready: (line: string) => line.startsWith('listening on '),
}
await fleet.start([proxy('orders'), proxy('users'), service])
console.log(guide())

function proxy(folder: string): Member {
  const file = path.join(here, 'config', folder, 'outrigger.yaml')
  const args = [...v8Flags(), main, 'run', '-c', file]
  return { name: `${folder}-sidecar`, args, rank: 0, ready: line => line.includes('"msg":"ready"') }
}

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
