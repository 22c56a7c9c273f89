import type { LoaderAnswer, LoaderRequest, SentRoute } from '../loader-messages.ts'
import type { LoadResult } from '../load-result.ts'
import type { ResolvedRoute } from '../resolved.ts'
import { loadConfig } from './load.ts'

/** How many routes or upstreams go in one message: about a millisecond of reading on the other side. */
const PIECE = 400

// The YAML parser asks the environment once for each token; the real one answers through the system each time.
process.env = { ...process.env }

let pending: Iterator<LoaderAnswer> | null = null
let current = 0

process.on('message', (message: LoaderRequest) => {
  if (message.kind === 'load') {
    pending = answers(message)
    current = message.id
    // One ahead: while the serving process reads a piece, the next is on its way.
    sendNext()
  }
  // An acknowledgement of the load before may come late.
  if (message.id === current) sendNext()
})

function sendNext(): void {
  const next = pending?.next()
  if (next === undefined || next.done === true) pending = null
  else process.send?.(next.value)
}

// The serving process is gone or wants this one to end. A terminal's Ctrl-C is for the serving process.
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => {})

function* answers({
  id,
  sources,
  env,
  secrets,
}: Extract<LoaderRequest, { kind: 'load' }>): Generator<LoaderAnswer> {
  const result = load(sources, env, secrets)
  if (!result.ok) {
    yield { kind: 'result', id, result }
    yield { kind: 'end', id }
    return
  }
  const { config, warnings } = result
  const listeners = config.listeners.map(listener => ({ ...listener, routes: [] }))
  yield {
    kind: 'result',
    id,
    result: { ok: true, config: { ...config, listeners, upstreams: {} }, warnings },
  }
  const policies = new Places<ResolvedRoute['policies']>()
  const from = new Places<ResolvedRoute['from']>()
  for (const [listener, { routes }] of config.listeners.entries()) {
    for (let at = 0; at < routes.length; at += PIECE) {
      const sent: SentRoute[] = routes
        .slice(at, at + PIECE)
        .map(route => ({ ...route, policies: policies.of(route.policies), from: from.of(route.from) }))
      yield { kind: 'routes', id, listener, routes: sent, policies: policies.take(), from: from.take() }
    }
  }
  const upstreams = Object.values(config.upstreams)
  for (let at = 0; at < upstreams.length; at += PIECE) {
    yield { kind: 'upstreams', id, upstreams: upstreams.slice(at, at + PIECE) }
  }
  yield { kind: 'end', id }
}

/** Objects by their place in the order in which they were met. */
class Places<T extends object> {
  readonly #places = new Map<T, number>()
  #fresh: T[] = []

  of(value: T): number {
    let place = this.#places.get(value)
    if (place !== undefined) return place
    place = this.#places.size
    this.#places.set(value, place)
    this.#fresh.push(value)
    return place
  }

  /** Those that were met since the last time. */
  take(): T[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }
}

function load(sources: readonly string[], env: string | null, secrets: boolean): LoadResult {
  try {
    return loadConfig(sources, { env: env ?? undefined, secrets })
  } catch (error) {
    // A bug, told as an error so that the last good configuration stays and somebody hears of it.
    console.error(error)
    const message = `the loader failed: ${error instanceof Error ? error.message : String(error)}`
    return { ok: false, errors: [{ file: '', line: 0, column: 0, message }], files: [] }
  }
}
