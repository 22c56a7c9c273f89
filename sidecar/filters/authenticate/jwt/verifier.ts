import { ProxyError } from '../../../exchange/proxy-error.ts'
import type { FilterLive, FilterParts } from '../../filter.ts'
import type { JwtProvider } from '../schema.ts'
import { Slots } from '../slots.ts'
import type { IdentifiedToken } from '../token-caller.ts'
import { VerifiedTokens } from '../verified-tokens.ts'
import { type Binding, bindingOf } from './binding.ts'
import { readClaims, type Unacceptable } from './claims.ts'
import type { Jose } from './jose.ts'
import { FileKeys, type KeySource, RemoteKeys } from './remote-keys.ts'
import { SecretKey } from './secret-key.ts'
import { hasKeyPair, isSigned } from './signature.ts'
import { parseObject, readHeader } from './token.ts'

/** How long a token is taken for good without looking again, in milliseconds. */
const KEPT_MS = 300_000
/**
 * Signatures that are checked at a time, and tokens that wait for that. As many as Node's pool has threads: more would not
 * be checked sooner, but come back in bursts (with 64 at a time the 99th percentile of the event loop's delay was several
 * times as long as with 4; docs/performance.md has the present figures).
 */
const SLOTS = { running: 4, waiting: 316 }

/** Tokens that wait for keys and signatures together; each holds its request. */
const MAX_UNDECIDED = 1_024

/** A token that is good. */
export interface VerifiedToken extends IdentifiedToken {
  readonly until: number
  /** What it is bound to; null: it is for whoever has it. */
  readonly binding: Binding | null
}

/** What becomes of a token: it is good, or why not, or why nobody can tell. */
export type Outcome = VerifiedToken | Unacceptable | ProxyError

/** The room for signatures, shared by all that check some. */
export function openSlots(live: FilterLive): Slots {
  return live.use(
    ['signatures'],
    () => new Slots(SLOTS.running, SLOTS.waiting),
    () => {},
  )
}

/** The verifier of a provider, shared by all routes that have it. */
export function openVerifier(provider: JwtProvider, jose: Jose, live: FilterLive): Verifier {
  const none = (): void => {}
  const slots = openSlots(live)
  const { keys, digest } = provider
  const source =
    keys.kind === 'url' || keys.kind === 'discovery'
      ? live.use(
          ['jwks', keys.kind, keys.kind === 'url' ? keys.url : keys.issuer],
          parts => new RemoteKeys(keys, jose, parts),
          remote => remote.close(),
        )
      : keys.kind === 'secret'
        ? new SecretKey(keys.secret)
        : new FileKeys(keys.keys, jose)
  return live.use(['tokens', digest], parts => new Verifier(provider, { jose, source, slots, parts }), none)
}

interface VerifierParts {
  readonly jose: Jose
  readonly source: KeySource
  readonly slots: Slots
  readonly parts: FilterParts
}

/**
 * Decides which tokens are good: the signature by the keys and algorithms of the configuration, then the claims. What
 * was good is kept for five minutes at most, never past its end, and not when a key was taken away.
 */
export class Verifier {
  readonly #provider: JwtProvider
  readonly #jose: Jose
  readonly #source: KeySource
  readonly #slots: Slots
  readonly #parts: FilterParts
  readonly #kept = new VerifiedTokens<VerifiedToken>()
  readonly #running = new Map<string, Promise<Outcome>>()
  readonly #hits: { value: number }
  readonly #checked: { value: number }
  #removals: number

  constructor(provider: JwtProvider, { jose, source, slots, parts }: VerifierParts) {
    this.#provider = provider
    this.#jose = jose
    this.#source = source
    this.#slots = slots
    this.#parts = parts
    this.#removals = source.removals
    const help = 'Tokens, by provider and by whether they were known already or their signature was checked.'
    const count = (result: string) =>
      parts.counter('outrigger_tokens_total', help, { provider: provider.name, result })
    this.#hits = count('known')
    this.#checked = count('checked')
  }

  /** A token that was good a moment ago, by its digest. */
  known(id: string): VerifiedToken | undefined {
    if (this.#source.removals !== this.#removals) {
      this.#removals = this.#source.removals
      this.#kept.clear()
    }
    const { clock } = this.#parts
    const entry = this.#kept.get(id, clock.now())
    if (entry === undefined) return undefined
    const { expiresAt } = entry.identity
    if (expiresAt !== null && clock.wall() >= expiresAt + this.#provider.skew) {
      this.#kept.delete(id)
      return undefined
    }
    this.#hits.value++
    return entry
  }

  /** Decides a token that is not known. Those who bring the same one at once wait for one decision. */
  verify(token: string, id: string): Outcome | Promise<Outcome> {
    const running = this.#running.get(id)
    if (running !== undefined) return running
    const header = readHeader(token)
    if (typeof header === 'string') return refuse(header)
    const { algorithms, types, chosen } = this.#provider
    if (!algorithms.includes(header.alg)) return refuse('the algorithm is not accepted')
    if (!types.includes(header.typ ?? 'jwt')) return refuse('it is a token of another type')
    if (this.#running.size >= MAX_UNDECIDED) return new ProxyError('overloaded', '', { cause: 'tokens' })
    const { removals } = this.#source
    const keys = this.#source.find(header.alg, header.kid, chosen)
    const outcome = (async () => this.#decide(token, header.alg, await keys))()
    const settled = outcome.then(
      one => {
        this.#running.delete(id)
        // A key that went away in between may have been the one that signed.
        if (!(one instanceof ProxyError) && 'until' in one && removals === this.#source.removals)
          this.#kept.set(id, one)
        return one
      },
      (error: unknown) => {
        this.#running.delete(id)
        throw error
      },
    )
    this.#running.set(id, settled)
    return settled
  }

  async #decide(token: string, alg: string, keys: Awaited<ReturnType<KeySource['find']>>): Promise<Outcome> {
    if (keys === 'unavailable') {
      return new ProxyError('identity_provider_unavailable', '', { cause: `keys of ${this.#provider.name}` })
    }
    if (keys.length === 0) return refuse('no key is known that could have signed it')
    const checked = this.#slots.run(() => this.#signed(token, alg, keys))
    if (checked === null) return new ProxyError('overloaded', '', { cause: 'signatures' })
    this.#checked.value++
    const payload = await checked
    if (payload === null) return refuse('the signature does not hold')
    const claims = parseObject(payload)
    if (claims === null) return refuse('the claims are no JSON object')
    const { clock } = this.#parts
    const identity = readClaims(Object.freeze(claims), this.#provider, clock.wall())
    if ('cause' in identity) return identity
    return {
      until: clock.now() + KEPT_MS,
      binding: bindingOf(identity.claims),
      identity,
      caller: null,
      directory: '',
    }
  }

  /** The payload, where one of the keys signed it. */
  async #signed(
    token: string,
    alg: string,
    keys: Exclude<Awaited<ReturnType<KeySource['find']>>, string>,
  ): Promise<Uint8Array | null> {
    for (const key of keys) {
      try {
        if (hasKeyPair(alg)) {
          if (await isSigned(token, alg, await key)) return payloadOf(token)
          continue
        }
        const { payload } = await this.#jose.compactVerify(token, await key, { algorithms: [alg] })
        return payload
      } catch {
        // Another key may have signed it; what the library says of this one helps nobody.
      }
    }
    return null
  }
}

function payloadOf(token: string): Uint8Array {
  return Buffer.from(token.slice(token.indexOf('.') + 1, token.lastIndexOf('.')), 'base64url')
}

function refuse(cause: string): Unacceptable {
  return { expired: false, cause }
}
