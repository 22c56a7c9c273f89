import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

/** What a backend can be made. */
export type Illness = 'well' | 'slow' | 'failing' | 'flapping'

/** Requests that reached a backend, by the way they came. */
export interface Asked {
  readonly directly: number
  readonly outrigger: number
}

/** What a backend says to whoever started it. */
export type BackendReport = { readonly port: number } | { readonly asked: Asked }

/** One backend: a process of its own that can be made ill, killed and started again at the same port. */
export class Backend {
  readonly name: string
  #port = 0
  #child: ChildProcess | null = null

  constructor(name: string) {
    this.name = name
  }

  get port(): number {
    return this.#port
  }

  /** Starts it and waits until it listens, at the port that it had before if there was one. */
  async start(): Promise<void> {
    const child = fork(path.join(import.meta.dirname, 'backend.ts'), [String(this.#port)], {
      // A Ctrl-C of the terminal is for start.ts; a backend ends with its channel.
      detached: process.platform !== 'win32',
    })
    this.#child = child
    const report = await this.#report(child)
    if ('port' in report) this.#port = report.port
  }

  make(illness: Illness): void {
    this.#child?.send(illness)
  }

  /** Requests that reached it since the last time; a dead one says nothing. */
  async asked(): Promise<Asked | null> {
    if (this.#child === null) return null
    const answer = this.#report(this.#child)
    this.#child.send('count')
    const report = await answer
    return 'asked' in report ? report.asked : null
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  async #report(child: ChildProcess): Promise<BackendReport> {
    const [message] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`backend ${this.name} ended with exit code ${code}`)
      }),
    ])) as [BackendReport] // backend.ts sends nothing else
    return message
  }
}
