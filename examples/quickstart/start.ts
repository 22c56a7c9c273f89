// The quick start: two services with a sidecar each and an edge in front, every one a process of its own.
//   npm start
//   npm start -- --port-base 18000      every port counted from there instead of 8000
//   npm start -- --config FOLDER        other configurations: FOLDER/{edge,orders,users}/outrigger.yaml
// Exit codes: 0 stopped by Ctrl-C, 1 something ended by itself, 2 usage, 3 a port is taken.
import path from 'node:path'
import { parseArgs } from 'node:util'
import { pinnedNode, v8Flags } from '../../bin/pinned-node.js'
import { Fleet, type Member } from './fleet.ts'
import { guide } from './guide.ts'
import { environmentOf, firstBusy, MAX_BASE, portsFrom } from './ports.ts'

const DEFAULT_BASE = 8000
const here = import.meta.dirname
const root = path.join(here, '..', '..')

const node = pinnedNode()
if (node === null) fail(2, `The quick start needs Node 26; this is ${process.version}. Run "npm ci" first.`)
if (Number(process.versions.node.split('.')[0]) < 26 && process.execve !== undefined)
  process.execve(node, [node, import.meta.filename, ...process.argv.slice(2)])

const { base, config } = options()
const ports = portsFrom(base)
const busy = await firstBusy(ports)
if (busy !== null) {
  const { port, code } = busy
  const why =
    code === 'EADDRINUSE'
      ? 'is in use by another program'
      : code === 'EACCES'
        ? 'may not be used without more rights'
        : `cannot be used (${code})`
  fail(
    3,
    `Port ${port.number} (${port.what}) ${why}. Other ports:\n\n  npm start -- --port-base ${otherBase(base)}\n`,
  )
}

const fleet = new Fleet(node, { ...process.env, ...environmentOf(ports) }, printLine)
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (stopping) {
      console.log('\nKilling what is left.')
      process.exit(1)
    }
    console.log('\nStopping.')
    void stop(0)
  })
void fleet.death.then(({ name, code, signal }) => {
  if (stopping) return
  console.error(
    `\n${name} ended by itself (${signal ?? `exit code ${code}`}); the lines above say why. Stopping the rest.`,
  )
  void stop(code === 3 ? 3 : 1)
})

await fleet.start([
  proxy('edge', 'edge', 0),
  proxy('orders-sidecar', 'orders', 1),
  proxy('users-sidecar', 'users', 1),
  service('orders'),
  service('users'),
])
console.log(guide(ports, config, performance.now()))

function proxy(name: string, folder: string, rank: number): Member {
  const file = path.join(config, folder, 'outrigger.yaml')
  const args = [...v8Flags(), path.join(root, 'sidecar', 'main.ts'), 'run', '-c', file]
  return { name, args, rank, ready: line => logEntry(line)?.['msg'] === 'ready' }
}

function service(name: string): Member {
  return {
    name,
    args: [path.join(here, `${name}.ts`)],
    rank: 2,
    ready: line => line.startsWith('listening on '),
  }
}

async function stop(code: number): Promise<void> {
  stopping = true
  const late = await fleet.stop()
  if (late.length > 0) console.error(`Had to be killed: ${late.join(', ')}.`)
  else console.log('Everything is stopped.')
  process.exit(late.length > 0 ? 1 : code)
}

/** One line of a member's output. The process log of a proxy is JSON off a terminal; here it is made readable. */
function printLine(name: string, line: string): void {
  const { msg, level: _level, time: _time, pid: _pid, hostname: _host, ...rest } = logEntry(line) ?? {}
  const details = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const text = typeof msg === 'string' ? [msg, ...details].join(' ') : line
  for (const part of text.split('\n')) console.log(`${name.padEnd(14)} | ${part}`)
}

function logEntry(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null
  try {
    const entry: unknown = JSON.parse(line)
    return typeof entry === 'object' && entry !== null ? { ...entry } : null
  } catch {
    return null
  }
}

function options(): { base: number; config: string } {
  try {
    const { values } = parseArgs({ options: { 'port-base': { type: 'string' }, config: { type: 'string' } } })
    const base = Number(values['port-base'] ?? DEFAULT_BASE)
    if (!Number.isInteger(base) || base < 1 || base > MAX_BASE)
      fail(2, `--port-base is a whole number from 1 to ${MAX_BASE}, not "${values['port-base']}".`)
    return { base, config: path.resolve(values.config ?? path.join(here, 'config')) }
  } catch (error) {
    fail(
      2,
      `${error instanceof Error ? error.message : String(error)}\nUsage: npm start [-- --port-base NUMBER] [--config FOLDER]`,
    )
  }
}

function otherBase(taken: number): number {
  return taken === 18_000 ? 28_000 : 18_000
}

function fail(code: number, message: string): never {
  console.error(message)
  process.exit(code)
}
