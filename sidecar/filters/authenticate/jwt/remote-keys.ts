import type { FilterParts } from '../../filter.ts'
import { fetchJson, FetchFailed, isLoopback, isSafe } from '../fetch-json.ts'
import type { Jwk, JwtKeys } from '../schema.ts'
import type { Jose } from './jose.ts'
import { KeySet, MAX_KEYS } from './key-set.ts'

/** From this age on a set is fetched again while it serves, in milliseconds. */
const REFRESH_MS = 300_000
/** From this age on a request waits for the new set, unless the issuer cannot be reached. */
const WAIT_MS = 600_000
/** How long a set serves when no new one can be had. */
const STALE_MS = 86_400_000
/** A key that is not there is looked for at most this often. */
const UNKNOWN_MS = 30_000
/** Between tries that fail: from the first to the second, doubling. */
const BACKOFF_MS = { from: 1_000, to: 60_000 }
const TIMEOUT_MS = 5_000
const MAX_BYTES = 256 * 1024

/** Where the keys of one issuer are. */
export type RemoteSource = Extract<JwtKeys, { readonly kind: 'url' | 'discovery' }>

/** Keys for a verification. */
export interface KeySource {
  /** Grows when a key was taken away: what it verified does not count any more. */
  readonly removals: number
  /** The keys to try, or that they cannot be had: nothing was ever fetched, or not for too long. A promise where they have to be fetched. */
  find(alg: string, kid: string | null, chosen: boolean): FoundKeys | Promise<FoundKeys>
}

/** Keys; none: nobody has this one; `unavailable`: nobody can tell. */
export type FoundKeys = ReturnType<KeySet['find']> | 'unavailable'

/** A set that a file held. */
export class FileKeys implements KeySource {
  readonly removals = 0
  readonly #set: KeySet
  constructor(keys: readonly Jwk[], jose: Jose) {
    this.#set = new KeySet(keys, jose)
  }
  find(alg: string, kid: string | null, chosen: boolean): FoundKeys {
    return this.#set.find(alg, kid, chosen)
  }
}

/**
 * The keys of an issuer that are fetched. Nothing is fetched before the first token asks; then requests drive it: an old
 * set is renewed beside them, and serves on for a day where that fails. All that ask at once share one fetch, a fetch
 * that fails is repeated with growing pauses, and a `kid` that nobody has costs at most two fetches a minute.
 */
export class RemoteKeys implements KeySource {
  removals = 0
  readonly #source: RemoteSource
  readonly #jose: Jose
  readonly #parts: FilterParts
  readonly #fetched: { value: number }
  readonly #failed: { value: number }
  readonly #closed = new AbortController()
  #set: KeySet | null = null
  #fetchedAt = -Infinity
  #triedAt = -Infinity
  #failures = 0
  #pending: Promise<void> | null = null

  constructor(source: RemoteSource, jose: Jose, parts: FilterParts) {
    this.#source = source
    this.#jose = jose
    this.#parts = parts
    const help = 'Fetches of key sets, by result.'
    this.#fetched = parts.counter('outrigger_jwks_fetches_total', help, { result: 'success' })
    this.#failed = parts.counter('outrigger_jwks_fetches_total', help, { result: 'failure' })
  }

  /** Nobody asks any more: what is under way is given up. */
  close(): void {
    this.#closed.abort()
  }

  find(alg: string, kid: string | null, chosen: boolean): FoundKeys | Promise<FoundKeys> {
    if (this.#parts.offline === true) return 'unavailable'
    const age = this.#parts.clock.now() - this.#fetchedAt
    if (age >= STALE_MS || (age >= WAIT_MS && this.#failures === 0)) {
      const fetching = this.#fetch()
      if (fetching !== null) return fetching.then(() => this.#look(alg, kid, chosen))
      if (age >= STALE_MS) return 'unavailable'
    } else if (age >= REFRESH_MS) void this.#fetch()
    return this.#look(alg, kid, chosen)
  }

  #look(alg: string, kid: string | null, chosen: boolean): FoundKeys | Promise<FoundKeys> {
    const now = this.#parts.clock.now()
    if (this.#set === null || now - this.#fetchedAt >= STALE_MS) return 'unavailable'
    const found = this.#set.find(alg, kid, chosen)
    if (found.length > 0) return found
    // Perhaps it is new. While the issuer cannot be reached, nobody knows.
    if (now - this.#triedAt >= UNKNOWN_MS || this.#pending !== null) {
      const fetching = this.#fetch()
      if (fetching !== null) return fetching.then(() => this.#outcome(alg, kid, chosen))
    }
    return this.#outcome(alg, kid, chosen)
  }

  #outcome(alg: string, kid: string | null, chosen: boolean): FoundKeys {
    const found = this.#set?.find(alg, kid, chosen) ?? []
    return found.length === 0 && this.#failures > 0 ? 'unavailable' : found
  }

  /** The fetch that runs, or a new one; null while the last one failed too recently. Never fails. */
  #fetch(): Promise<void> | null {
    if (this.#pending !== null) return this.#pending
    const now = this.#parts.clock.now()
    const pause = Math.min(BACKOFF_MS.to, BACKOFF_MS.from * 2 ** (this.#failures - 1))
    if (this.#failures > 0 && now - this.#triedAt < pause) return null
    this.#triedAt = now
    this.#pending = this.#fetchOnce().finally(() => (this.#pending = null))
    return this.#pending
  }

  async #fetchOnce(): Promise<void> {
    try {
      const keys = await this.#fetchKeys()
      const set = new KeySet(keys, this.#jose)
      if (this.#set !== null && set.lacks(this.#set)) this.removals++
      this.#set = set
      this.#fetchedAt = this.#parts.clock.now()
      this.#failures = 0
      this.#fetched.value++
    } catch (error) {
      if (this.#closed.signal.aborted) return
      this.#failures++
      this.#failed.value++
      const why = error instanceof FetchFailed ? error.message : String(error)
      const { kind } = this.#source
      const from = kind === 'url' ? this.#source.url : this.#source.issuer
      const serving = this.#set === null ? 'none' : 'the last ones'
      this.#parts.warn('the keys of an issuer cannot be fetched', { from, why, serving })
    }
  }

  async #fetchKeys(): Promise<Jwk[]> {
    const url = this.#source.kind === 'url' ? this.#source.url : await this.#discover(this.#source.issuer)
    const json = await this.#get(url)
    const keys = isMap(json) ? json['keys'] : undefined
    if (!Array.isArray(keys)) throw new FetchFailed('the answer is no key set')
    if (keys.length > MAX_KEYS) throw new FetchFailed(`more than ${MAX_KEYS} keys`)
    return keys.filter(isMap)
  }

  /** OpenID Connect Discovery 1.0, section 4. */
  async #discover(issuer: string): Promise<string> {
    const json = await this.#get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
    if (!isMap(json) || json['issuer'] !== issuer) throw new FetchFailed('it names another issuer')
    const url = typeof json['jwks_uri'] === 'string' ? URL.parse(json['jwks_uri']) : null
    // An issuer elsewhere must not send us to this machine.
    if (url === null || !isSafe(url) || (isLoopback(url) && !isLoopback(new URL(issuer))))
      throw new FetchFailed('it names no keys that could be trusted')
    return url.href
  }

  async #get(url: string): Promise<unknown> {
    const answer = await fetchJson(
      { url, timeout: TIMEOUT_MS, maxBytes: MAX_BYTES, signal: this.#closed.signal },
      this.#parts.wheel,
    )
    if (answer.status !== 200) throw new FetchFailed(`status ${answer.status}`)
    return answer.json
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
