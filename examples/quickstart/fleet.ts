import { spawn, type ChildProcess } from 'node:child_process'
import readline from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

/** One process of the quick start. */
export interface Member {
  readonly name: string
  /** Arguments of the Node binary. */
  readonly args: readonly string[]
  /** Whether a line of its output says that it serves. */
  readonly ready: (line: string) => boolean
  /** Members of a lower rank are stopped first, so that what is in flight can still be answered. */
  readonly rank: number
}

/** A member that ended although nobody stopped it. */
export interface Death {
  readonly name: string
  readonly code: number | null
  readonly signal: string | null
}

const STOP_WITHIN_MS = 10_000

/**
 * The processes of the quick start: started together, their output prefixed line by line, stopped together.
 * Each leads its own process group, so that a Ctrl-C of the terminal reaches only us, once, and we pass it on in order.
 */
export class Fleet {
  /** Resolves when a member ends by itself. */
  readonly death: Promise<Death>
  readonly #node: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #print: (name: string, line: string) => void
  readonly #running = new Map<Member, ChildProcess>()
  #reportDeath: (death: Death) => void = () => {}
  #stopping = false

  constructor(node: string, environment: NodeJS.ProcessEnv, print: (name: string, line: string) => void) {
    this.#node = node
    this.#environment = environment
    this.#print = print
    this.death = new Promise(resolve => (this.#reportDeath = resolve))
    process.once('exit', () => this.kill())
  }

  /** Starts all members at once; resolves when every one of them serves. */
  async start(members: readonly Member[]): Promise<void> {
    await Promise.all(members.map(member => this.#startOne(member)))
  }

  #startOne(member: Member): Promise<void> {
    const child = spawn(this.#node, member.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.#environment,
      detached: process.platform !== 'win32',
    })
    this.#running.set(member, child)
    child.on('error', () => this.#ended(member, null, null))
    child.on('exit', (code, signal) => this.#ended(member, code, signal))
    return new Promise(resolve => {
      const take = (stream: Readable): void => {
        readline.createInterface({ input: stream }).on('line', line => {
          this.#print(member.name, line)
          if (member.ready(line)) resolve()
        })
      }
      take(child.stdout)
      take(child.stderr)
    })
  }

  #ended(member: Member, code: number | null, signal: string | null): void {
    if (!this.#running.delete(member) || this.#stopping) return
    this.#reportDeath({ name: member.name, code, signal })
  }

  /**
   * Asks the members to end, rank by rank, and waits. Returns the names of those that had to be killed.
   * SIGINT is what a Ctrl-C is: a proxy then finishes what is in flight without the notice it gives load balancers.
   */
  async stop(): Promise<readonly string[]> {
    this.#stopping = true
    const late: string[] = []
    const giveUp = new AbortController()
    const deadline = pause(STOP_WITHIN_MS, 'late', { signal: giveUp.signal }).catch(() => 'stopped')
    for (const rank of [...new Set([...this.#running.keys()].map(member => member.rank))].toSorted(
      (a, b) => a - b,
    )) {
      const group = [...this.#running].filter(([member]) => member.rank === rank)
      const ends = group.map(([, child]) => new Promise(resolve => child.once('exit', resolve)))
      for (const [, child] of group) child.kill('SIGINT')
      if ((await Promise.race([Promise.all(ends), deadline])) !== 'late') continue
      late.push(...[...this.#running.keys()].map(member => member.name))
      this.kill()
      break
    }
    giveUp.abort()
    return late
  }

  /** Ends whatever still runs at once. */
  kill(): void {
    for (const child of this.#running.values()) child.kill('SIGKILL')
  }
}
