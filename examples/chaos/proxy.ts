import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import readline from 'node:readline'
import { pinnedNode, v8Flags } from '../../bin/pinned-node.js'

const MAIN = path.join(import.meta.dirname, '..', '..', 'sidecar', 'main.ts')
const CONFIG = path.join(import.meta.dirname, 'outrigger.yaml')

/** The Outrigger between the load and the backends. */
export class Proxy {
  readonly port: number
  /** `host:port` of the admin listener. */
  readonly admin: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number, admin: string) {
    this.#child = child
    this.port = port
    this.admin = admin
  }

  /**
   * Starts it and waits until it serves.
   * @param said called with each later line of its log, in words
   */
  static async start(environment: NodeJS.ProcessEnv, said: (line: string) => void): Promise<Proxy> {
    const child = spawn(pinnedNode() ?? process.execPath, [...v8Flags(), MAIN, 'run', '-c', CONFIG], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
      detached: process.platform !== 'win32',
    })
    const lines: string[] = []
    return new Promise((resolve, reject) => {
      child.once('exit', code =>
        reject(new Error(`Outrigger ended with exit code ${code}:\n${lines.join('\n')}`)),
      )
      let proxy: Proxy | null = null
      readline.createInterface({ input: child.stderr }).on('line', line => {
        lines.push(line)
        const { msg, listeners, admin, endpoint, why } = entryOf(line)
        if (msg === 'ready') {
          proxy = new Proxy(child, portOf(listeners?.['shop'] ?? ''), admin ?? '')
          resolve(proxy)
        } else if (proxy !== null && msg !== undefined && endpoint !== undefined) {
          said(`${msg}: ${endpoint}${why === undefined ? '' : ` (${why})`}`)
        }
      })
    })
  }

  /** The value of a metric that has no more labels than these. */
  async metric(series: string): Promise<number> {
    const text = await (await fetch(`http://${this.admin}/metrics`)).text()
    const line = text.split('\n').find(one => one.startsWith(`${series} `))
    return Number(line?.slice(series.length) ?? 0)
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGINT')
    await gone
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** The fields of a line of the process log that are shown or needed here. */
interface LogEntry {
  readonly msg?: string
  readonly listeners?: Readonly<Record<string, string>>
  readonly admin?: string
  readonly endpoint?: string
  readonly why?: string
}

function entryOf(line: string): LogEntry {
  try {
    return JSON.parse(line) as LogEntry // Outrigger's log is JSON off a terminal
  } catch {
    return {}
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
