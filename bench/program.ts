import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import net from 'node:net'
import readline from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

/** The core that the measured proxy has for itself, and the core of everything else. */
export const PROXY_CORE = 0
export const LOAD_CORE = 1

export interface Launch {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** The only processor core it may run on. */
  readonly core: number
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Where its standard output goes; nowhere if not given. */
  readonly stdout?: string
  readonly stopSignal?: NodeJS.Signals
}

const KILL_AFTER_MS = 3000
const running = new Set<Program>()
process.once('exit', () => {
  for (const program of running) program.kill()
})

/** A process of the benchmark, pinned to one core. */
export class Program {
  readonly name: string
  readonly pid: number
  readonly #child: ChildProcess
  readonly #stopSignal: NodeJS.Signals
  readonly #ended: Promise<void>
  readonly #lines: string[] = []
  readonly #waiting = new Set<(line: string) => void>()
  #alive = true

  constructor(launch: Launch) {
    this.name = launch.name
    this.#stopSignal = launch.stopSignal ?? 'SIGTERM'
    const out = launch.stdout === undefined ? null : openSync(launch.stdout, 'w')
    // taskset replaces itself by the command, so the process id is the command's.
    const child = spawn('taskset', ['-c', String(launch.core), launch.command, ...launch.args], {
      stdio: ['ignore', out ?? 'ignore', 'pipe'],
      env: { ...process.env, ...launch.env },
      cwd: launch.cwd,
    })
    if (out !== null) closeSync(out)
    this.#child = child
    this.pid = child.pid ?? 0
    running.add(this)
    if (child.stderr !== null)
      readline.createInterface({ input: child.stderr }).on('line', line => {
        if (this.#lines.length < 50) this.#lines.push(line)
        for (const test of this.#waiting) test(line)
      })
    this.#ended = new Promise(resolve => {
      const end = (): void => {
        this.#alive = false
        running.delete(this)
        resolve()
      }
      child.once('exit', end)
      child.once('error', end)
    })
  }

  /** Resolves with what `read` makes of the first line on standard error that it does not answer null for. */
  async until<T>(read: (line: string) => T | null): Promise<T> {
    for (const line of this.#lines) {
      const value = read(line)
      if (value !== null) return value
    }
    let test = (_line: string): void => {}
    const found = new Promise<T>(resolve => {
      test = line => {
        const value = read(line)
        if (value !== null) resolve(value)
      }
    })
    this.#waiting.add(test)
    try {
      return await Promise.race([found, this.#failure(10_000)])
    } finally {
      this.#waiting.delete(test)
    }
  }

  /** Resolves when something accepts connections on the port. */
  async listening(port: number): Promise<void> {
    const deadline = performance.now() + 10_000
    while (this.#alive && performance.now() < deadline) {
      if (await accepts(port)) return
      await pause(20)
    }
    throw this.#error('does not listen')
  }

  async stop(): Promise<void> {
    if (!this.#alive) return
    this.#child.kill(this.#stopSignal)
    const timer = setTimeout(() => this.kill(), KILL_AFTER_MS)
    await this.#ended
    clearTimeout(timer)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #failure(within: number): Promise<never> {
    await Promise.race([this.#ended, pause(within, undefined, { ref: false })])
    throw this.#error(this.#alive ? 'does not become ready' : 'ended')
  }

  #error(what: string): Error {
    return new Error(`${this.name} ${what}:\n${this.#lines.slice(-10).join('\n')}`)
  }
}

/** Runs a command on the load core and resolves with its standard output; rejects where it fails. */
export function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('taskset', ['-c', String(LOAD_CORE), command, ...args])
    let out = ''
    let problems = ''
    child.stdout.on('data', (part: Buffer) => (out += part.toString()))
    child.stderr.on('data', (part: Buffer) => (problems += part.toString()))
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve(out)
      else reject(new Error(`${command} ended with ${code}: ${problems.slice(-1000)}${out.slice(-1000)}`))
    })
  })
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
