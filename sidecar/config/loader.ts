import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { RoutePolicies } from '../snapshot/policies.ts'
import type { LoadResult } from './load-result.ts'
import type { LoaderAnswer, LoaderRequest } from './loader-messages.ts'
import type { ResolvedConfig, ResolvedRoute, ResolvedUpstream } from './resolved.ts'

/** How long the loading child may stay and be silent. */
export interface LoaderSettings {
  /** How long the child stays after its last work, in milliseconds. */
  readonly idle?: number
  /** How long it may be silent while it works, in milliseconds; then it is killed. */
  readonly patience?: number
  /** The program of the child; tests put another one in its place. */
  readonly program?: string
}

interface Job {
  readonly id: number
  readonly sources: readonly string[]
  readonly env: string | null
  readonly secrets: boolean
  readonly resolve: (result: LoadResult) => void
  result: LoadResult | null
  /** Whether a child was lost over it already. */
  retried: boolean
  /** By listener. */
  readonly routes: ResolvedRoute[][]
  /** What the routes have in common, in the order in which it came. */
  readonly policies: RoutePolicies[]
  readonly from: ResolvedRoute['from'][]
  readonly upstreams: Record<string, ResolvedUpstream>
}

/**
 * Loads configurations in a forked child, so that the serving thread neither parses nor validates, and so that the
 * memory for it goes away with the child. A child that dies is an error result, and the next load starts another.
 */
export class Loader {
  readonly #idle: number
  readonly #patience: number
  readonly #program: string
  readonly #queue: Job[] = []
  #child: ChildProcess | null = null
  #job: Job | null = null
  #timer: NodeJS.Timeout | null = null
  #hung = false
  #lastId = 0
  #closed = false

  constructor(settings: LoaderSettings = {}) {
    this.#idle = settings.idle ?? 30_000
    this.#patience = settings.patience ?? 60_000
    this.#program = settings.program ?? defaultProgram()
  }

  /** The child's process id while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /**
   * Loads one configuration. Loads that are asked for while another runs wait for it. Never rejects.
   * @param sources files and folders, as the user named them
   */
  load(
    sources: readonly string[],
    options: { readonly env?: string | undefined; readonly secrets: boolean },
  ): Promise<LoadResult> {
    if (this.#closed) return Promise.resolve(failed('the loader is closed'))
    return new Promise(resolve => {
      this.#queue.push({
        id: ++this.#lastId,
        sources,
        env: options.env ?? null,
        secrets: options.secrets,
        resolve,
        result: null,
        retried: false,
        routes: [],
        policies: [],
        from: [],
        upstreams: {},
      })
      this.#next()
    })
  }

  /** Ends the child. What waits is answered with an error. */
  close(): void {
    this.#closed = true
    this.#stop()
    for (const job of this.#queue.splice(0)) job.resolve(failed('the loader is closed'))
    this.#finish(failed('the loader is closed'))
  }

  #next(): void {
    if (this.#job !== null) return
    const job = this.#queue.shift()
    if (job === undefined) return
    this.#job = job
    const child = (this.#child ??= this.#start())
    child.ref()
    child.channel?.ref()
    this.#wait()
    this.#send(child, { kind: 'load', id: job.id, sources: job.sources, env: job.env, secrets: job.secrets })
  }

  #start(): ChildProcess {
    const child = fork(this.#program, [], {
      // The access log has standard output for itself.
      stdio: ['ignore', 2, 2, 'ipc'],
      // A load is one burst of small objects, of which most stay until it is over.
      execArgv: ['--max-semi-space-size=16', '--min-semi-space-size=16'],
    })
    child.on('error', error => this.#lost(child, error.message))
    child.on('exit', (code, signal) => this.#lost(child, signal === null ? `exit code ${code}` : signal))
    child.on('message', message => {
      // The child is ours and says nothing else.
      if (child === this.#child) this.#take(child, message as LoaderAnswer)
    })
    return child
  }

  #send(child: ChildProcess, request: LoaderRequest): void {
    // A channel that is closing is told by `exit`; the callback keeps the error from being thrown.
    if (child.connected) child.send(request, () => {})
  }

  #take(child: ChildProcess, answer: LoaderAnswer): void {
    const job = this.#job
    if (job === null || answer.id !== job.id) return
    this.#wait()
    switch (answer.kind) {
      case 'result':
        job.result = answer.result
        break
      case 'routes':
        takeRoutes(job, answer)
        break
      case 'upstreams':
        for (const upstream of answer.upstreams) job.upstreams[upstream.name] = upstream
        break
      case 'end':
        this.#finish(whole(job))
        this.#rest(child)
        return
    }
    // In a turn of its own: requests that came meanwhile go first.
    setImmediate(() => this.#send(child, { kind: 'more', id: job.id }))
  }

  #finish(result: LoadResult): void {
    const job = this.#job
    this.#job = null
    job?.resolve(result)
    if (!this.#closed) this.#next()
  }

  /** After work: the child may end the process's wait, and ends itself when nothing comes. */
  #rest(child: ChildProcess): void {
    if (this.#job !== null || child !== this.#child) return
    this.#clear()
    child.unref()
    child.channel?.unref()
    this.#timer = setTimeout(() => this.#stop(), this.#idle).unref()
  }

  /** While it works: silence for too long is a child that hangs. */
  #wait(): void {
    this.#clear()
    this.#hung = false
    this.#timer = setTimeout(() => {
      this.#hung = true
      this.#child?.kill('SIGKILL')
    }, this.#patience).unref()
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #stop(): void {
    this.#clear()
    const child = this.#child
    this.#child = null
    if (child === null) return
    // It ends by itself when its channel closes; a busy one is not waited for.
    if (child.connected) child.disconnect()
    child.unref()
    if (this.#job !== null) child.kill('SIGKILL')
  }

  #lost(child: ChildProcess, how: string): void {
    if (child !== this.#child) return
    this.#child = null
    this.#clear()
    const job = this.#job
    // One that was killed while it rested is noticed only when it is asked again: the work goes to another, once.
    if (job !== null && job.result === null && !job.retried && !this.#hung) {
      job.retried = true
      this.#job = null
      this.#queue.unshift(job)
      this.#next()
      return
    }
    this.#finish(failed(`the process that loads the configuration ended (${how})`))
  }
}

function takeRoutes(job: Job, answer: Extract<LoaderAnswer, { kind: 'routes' }>): void {
  job.policies.push(...answer.policies)
  job.from.push(...answer.from)
  const routes = (job.routes[answer.listener] ??= [])
  for (const route of answer.routes) {
    const policies = job.policies[route.policies]
    const from = job.from[route.from]
    // What a route names came with it or before it.
    if (policies !== undefined && from !== undefined) routes.push({ ...route, policies, from })
  }
}

function whole(job: Job): LoadResult {
  const { result } = job
  if (result === null) return failed('the process that loads the configuration gave no result')
  if (!result.ok) return result
  const listeners = result.config.listeners.map((listener, index) => ({
    ...listener,
    routes: job.routes[index] ?? [],
  }))
  const config: ResolvedConfig = { ...result.config, listeners, upstreams: job.upstreams }
  return { ok: true, config, warnings: result.warnings }
}

function failed(message: string): LoadResult {
  return { ok: false, errors: [{ file: '', line: 0, column: 0, message }], files: [] }
}

/** The child's program beside this file, in the form in which this file runs. */
function defaultProgram(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return fileURLToPath(new URL(`./load/child.${extension}`, import.meta.url))
}
