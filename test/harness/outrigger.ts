import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { v8Flags } from '../../bin/pinned-node.js'
import { programEntry } from './entry.ts'

/** How a real Outrigger is started. */
export interface StartOptions {
  /** Further arguments of `run`. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Another program than Outrigger's own, for the test of this class. */
  readonly entry?: string
  /** How many files it may have open, where `sh` can say so. */
  readonly descriptors?: number
  /** Files beside `sidecar.yaml` in the configuration folder, by name. */
  readonly files?: Readonly<Record<string, string>>
}

/** How a process ended. */
export interface Exit {
  /** Null where a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A line of the process log. */
export interface LogLine {
  readonly msg: string
  readonly [key: string]: unknown
}

interface Ready {
  readonly listeners: Readonly<Record<string, string>>
  readonly admin?: string
}

const READY_MS = 10_000
const STOP_MS = 15_000

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * A real Outrigger in a process of its own, started from a YAML text. The text gives every address port 0, and the
 * process says in its log line `ready` which ports it got.
 */
export class Outrigger {
  /** The configuration folder; `sidecar.yaml` stands in it. */
  readonly folder: string
  readonly #child: ChildProcess
  readonly #exit: Promise<Exit>
  #stdout = ''
  #stderr = ''
  #ready: Ready | null = null
  #exited: Exit | null = null
  readonly #watchers = new Set<() => void>()

  private constructor(folder: string, options: StartOptions) {
    this.folder = folder
    const entry = options.entry ?? programEntry()
    const args = [...v8Flags(), entry, 'run', '-c', folder, ...(options.args ?? [])]
    const { descriptors } = options
    const [program, all] =
      descriptors === undefined
        ? [process.execPath, args]
        : ['/bin/sh', ['-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, process.execPath, ...args]]
    this.#child = spawn(program, all, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...options.env },
    })
    running.add(this.#child)
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#wake()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#wake()
    })
    this.#exit = this.#over()
  }

  /**
   * Starts one and waits until it is ready, 10 s at most.
   * @throws Error with what it logged, where it ended or did not get ready
   */
  static async start(yaml: string, options: StartOptions = {}): Promise<Outrigger> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-config-'))
    for (const [name, text] of Object.entries(options.files ?? {}))
      writeFileSync(path.join(folder, name), text)
    writeFileSync(path.join(folder, 'sidecar.yaml'), yaml)
    return Outrigger.serve(folder, options)
  }

  /** As `start`, with a folder that holds the configuration already; `stop` removes it all the same. */
  static async serve(folder: string, options: StartOptions = {}): Promise<Outrigger> {
    const outrigger = new Outrigger(folder, options)
    try {
      const line = await outrigger.logged(one => one.msg === 'ready', READY_MS)
      // The contract with the process: its line `ready` holds these fields.
      outrigger.#ready = line as unknown as Ready
      return outrigger
    } catch (error) {
      await outrigger.stop('SIGKILL')
      throw error
    }
  }

  /** The port of a listener by its name in the configuration. */
  port(listener: string): number {
    const address = this.#ready?.listeners[listener]
    if (address === undefined) {
      throw new Error(`no listener ${listener}; ready said ${JSON.stringify(this.#ready)}`)
    }
    return portOf(address)
  }

  get adminPort(): number {
    const address = this.#ready?.admin
    if (address === undefined) throw new Error('no admin listener: the configuration has no `admin`')
    return portOf(address)
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** What it wrote to stdout: the access log. */
  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  /** How it ended; null while it runs. */
  get exited(): Exit | null {
    return this.#exited
  }

  /** The process log so far; lines that are no JSON objects come as `{ msg: line }`. */
  log(): LogLine[] {
    return this.#stderr
      .split('\n')
      .slice(0, -1)
      .map(line => {
        try {
          const value: unknown = JSON.parse(line)
          if (typeof value === 'object' && value !== null && 'msg' in value) return value as LogLine
        } catch {
          // a line for people
        }
        return { msg: line }
      })
  }

  /** Waits for a line of the process log, those already there included. */
  async logged(predicate: (line: LogLine) => boolean, timeout = 5000): Promise<LogLine> {
    return this.#wait('a log line', () => this.log().find(predicate) ?? null, timeout)
  }

  /** Waits until stdout, the access log, holds what the pattern says. */
  async accessLogged(pattern: RegExp, timeout = 5000): Promise<RegExpExecArray> {
    return this.#wait(`${pattern} on stdout`, () => pattern.exec(this.#stdout), timeout)
  }

  /** Replaces the configuration as an editor does: a new file, renamed over the old one. Does not wait for its effect. */
  write(yaml: string, name = 'sidecar.yaml'): void {
    const file = path.join(this.folder, name)
    writeFileSync(`${file}.new`, yaml)
    renameSync(`${file}.new`, file)
  }

  /** Replaces the configuration and waits until the process log says `reloaded`, or that it was refused. */
  async reload(yaml: string, timeout = 5000): Promise<LogLine> {
    const seen = this.log().length
    this.write(yaml)
    const isAnswer = (line: LogLine): boolean => line.msg.startsWith('reload')
    return this.#wait('the reload', () => this.log().slice(seen).find(isAnswer) ?? null, timeout)
  }

  /** Sends a signal and nothing else. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Sends a signal, waits for the end and removes the folder. One that does not end within 15 s is killed. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.#exited === null) this.#child.kill(signal)
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    const exit = await this.#exit
    clearTimeout(timer)
    rmSync(this.folder, { recursive: true, force: true })
    return exit
  }

  /** Waits for its end without asking for it. */
  async exit(): Promise<Exit> {
    return this.#exit
  }

  async #over(): Promise<Exit> {
    await once(this.#child, 'close')
    running.delete(this.#child)
    this.#exited = { code: this.#child.exitCode, signal: this.#child.signalCode }
    this.#wake()
    return this.#exited
  }

  #wait<T>(what: string, check: () => T | null, timeout: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        finish()
        reject(new Error(`${why}; its stderr:\n${this.#stderr.slice(-8000)}`))
      }
      const timer = setTimeout(() => fail(`waited ${timeout} ms for ${what}`), timeout)
      const finish = (): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
      }
      const look = (): void => {
        const value = check()
        if (value !== null) {
          finish()
          resolve(value)
        } else if (this.#exited !== null) {
          fail(`waited for ${what}, and it ended with ${this.#exited.signal ?? this.#exited.code}`)
        }
      }
      this.#watchers.add(look)
      look()
    })
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher()
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
