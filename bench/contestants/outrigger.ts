import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pinnedNode, v8Flags } from '../../bin/pinned-node.js'
import type { Contestant, Entry } from '../contestant.ts'
import { freePort } from '../../test/harness/free-port.ts'
import { Program, PROXY_CORE } from '../program.ts'

/** The root of this checkout. */
export const THIS_TREE = path.join(import.meta.dirname, '..', '..')

export interface Ready extends Entry {
  /** Port of the admin listener. */
  readonly admin: number
  /** The configuration that it watches. */
  readonly file: string
}

/** Outrigger as it starts by itself: an edge with one route, everything on but the access log. */
export function outrigger({
  name = 'Outrigger',
  tree = THIS_TREE,
  accessLog = false,
  compiled = false,
} = {}): Contestant {
  return {
    name,
    missing: () => missingIn(tree),
    start: ({ folder, origin }) =>
      startOutrigger({
        name,
        tree,
        folder,
        config: plainConfiguration(origin, accessLog),
        ...(compiled ? { main: compiledMain() } : {}),
      }),
  }
}

/** The compiled program of this tree. `npm run build` makes it. */
export function compiledMain(): string {
  return path.join(THIS_TREE, 'dist', 'sidecar', 'main.js')
}

/** Null, or that there is nothing to start in the tree. */
export function missingIn(tree: string): string | null {
  return existsSync(path.join(tree, 'sidecar', 'main.ts')) ? null : `there is no sidecar/main.ts in ${tree}`
}

/** The configuration of the plain rows. `PORT` and `ADMIN` are filled in by startOutrigger. */
export function plainConfiguration(origin: number, accessLog = false, protocol = 'http1'): string {
  return `version: 1
service: bench
listeners:
  - name: bench
    role: edge
    address: 127.0.0.1:PORT
    requestSize: off
    upstream: origin
upstreams:
  origin: { url: "http://127.0.0.1:${origin}"${protocol === 'http1' ? '' : `, protocol: ${protocol}`} }
admin: { address: 127.0.0.1:ADMIN }
telemetry: { accessLog: { write: ${accessLog ? 'on' : 'off'}, format: json } }
`
}

export interface OutriggerLaunch {
  readonly name: string
  readonly tree?: string
  readonly folder: string
  readonly config: string
  /** The program; the tree's source if not given. */
  readonly main?: string
  /** More flags for Node. */
  readonly flags?: readonly string[]
  /** Where Node keeps compiled code between starts; nowhere if not given. */
  readonly compileCache?: string
}

/** Starts a tree's sidecar/main.ts without the launcher, with the launcher's flags, and waits for its ready line. */
export async function startOutrigger(launch: OutriggerLaunch): Promise<Ready> {
  const { name, tree = THIS_TREE, folder, config, flags = [] } = launch
  const main = launch.main ?? path.join(tree, 'sidecar', 'main.ts')
  const [port, admin] = [await freePort(), await freePort()]
  const file = path.join(folder, 'outrigger.yaml')
  writeFileSync(file, fillIn(config, port, admin))
  const program = new Program({
    name,
    command: pinnedNode() ?? process.execPath,
    args: [...v8Flags(), ...flags, main, 'run', '-c', file],
    core: PROXY_CORE,
    env: {
      UV_THREADPOOL_SIZE: '8',
      ...(launch.compileCache === undefined ? {} : { NODE_COMPILE_CACHE: launch.compileCache }),
    },
    stdout: path.join(folder, 'stdout.log'),
    stopSignal: 'SIGKILL',
  })
  await program.until(readyLine)
  return { program, port, admin, file }
}

/** The configuration with its ports. */
export function fillIn(config: string, port: number, admin: number): string {
  return config.replaceAll(':PORT', `:${port}`).replaceAll(':ADMIN', `:${admin}`)
}

/** True for the line of the process log that says that every listener is bound, else null. */
export function readyLine(line: string): true | null {
  return line.includes('"msg":"ready"') ? true : null
}
