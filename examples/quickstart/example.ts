// What an example needs around its processes: the right Node, ports that are free, one Ctrl-C for all. The exit codes are
// 0 stopped by Ctrl-C, 1 something ended by itself, 2 usage, 3 a port is taken.
import path from 'node:path'
import { parseArgs } from 'node:util'
import { pinnedNode, v8Flags } from '../../bin/pinned-node.js'
import type { Fleet, Member } from './fleet.ts'
import { saysReady } from './lines.ts'
import { firstBusy, highestBase, type Place, type Port, portsFrom } from './ports.ts'

const DEFAULT_BASE = 8000
const MAIN = path.join(import.meta.dirname, '..', '..', 'sidecar', 'main.ts')

/**
 * The Node binary for the processes; ends with 2 where there is none.
 * @param script the example's own file: an older Node that runs it becomes the right one, where it can
 */
export function rightNode(script: string): string {
  const node = pinnedNode()
  if (node === null) fail(2, `This needs Node 26; this is ${process.version}. Run "npm ci" first.`)
  if (Number(process.versions.node.split('.')[0]) < 26 && process.execve !== undefined)
    process.execve(node, [node, script, ...process.argv.slice(2)])
  return node
}

/** The values of the options `--NAME VALUE`; ends with 2 where there are others. */
export function optionsOf(
  names: readonly string[],
  usage: string,
): Readonly<Record<string, string | undefined>> {
  try {
    return parseArgs({ options: Object.fromEntries(names.map(name => [name, { type: 'string' as const }])) })
      .values
  } catch (error) {
    fail(2, `${error instanceof Error ? error.message : String(error)}\nUsage: ${usage}`)
  }
}

/**
 * The ports of an example; ends with 2 where the base is none, with 3 where a port is taken.
 * @param given what `--port-base` said
 * @param command how the example is started, for the way out
 */
export async function freePorts(
  places: readonly Place[],
  given: string | undefined,
  command: string,
): Promise<readonly Port[]> {
  const base = Number(given ?? DEFAULT_BASE)
  const highest = highestBase(places)
  if (!Number.isInteger(base) || base < 1 || base > highest)
    fail(2, `--port-base is a whole number from 1 to ${highest}, not "${given}".`)
  const ports = portsFrom(places, base)
  const busy = await firstBusy(ports)
  if (busy === null) return ports
  const { port, code } = busy
  const other = base === 18_000 ? 28_000 : 18_000
  fail(
    3,
    `Port ${port.number} (${port.what}) ${whyNot(code)}. Other ports:\n\n  ${command} --port-base ${other}\n`,
  )
}

function whyNot(code: string): string {
  if (code === 'EADDRINUSE') return 'is in use by another program'
  return code === 'EACCES' ? 'may not be used without more rights' : `cannot be used (${code})`
}

/** A proxy with a configuration file. */
export function proxy(name: string, rank: number, file: string): Member {
  return { name, rank, args: [...v8Flags(), MAIN, 'run', '-c', file], ready: saysReady }
}

/** A service, which is a script that says `listening on`. */
export function service(name: string, rank: number, script: string): Member {
  return { name, rank, args: [script], ready: line => line.startsWith('listening on ') }
}

/** Ends this process with the fleet: by Ctrl-C, whose second one kills what is left, or when a member ended by itself. */
export function endTogether(fleet: Fleet): void {
  let stopping = false
  const stop = async (code: number): Promise<void> => {
    stopping = true
    const late = await fleet.stop()
    if (late.length > 0) console.error(`Had to be killed: ${late.join(', ')}.`)
    else console.log('Everything is stopped.')
    process.exit(late.length > 0 ? 1 : code)
  }
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
}

function fail(code: number, message: string): never {
  console.error(message)
  process.exit(code)
}
