import { hash } from 'node:crypto'
import type { FilterParts } from '../../filter.ts'
import type { Jose } from '../jwt/jose.ts'
import type { OidcProvider } from '../schema.ts'
import type { IdentifiedToken } from '../token-caller.ts'
import { VerifiedTokens } from '../verified-tokens.ts'
import type { OpenId } from './openid.ts'
import { IssuerUnavailable, LoginRefused, RelyingParty } from './relying-party.ts'
import { Sealer } from './sealer.ts'
import { identify, isOver, readSession, type Session, sessionOf } from './session.ts'

/** How long an opened cookie is known without opening it again, in milliseconds. */
const KEPT_MS = 60_000
/** How long the outcome of a refresh serves those who still bring the cookie from before it. */
const REFRESHED_MS = 60_000
/** Between refreshes that fail since the issuer is away. */
const PAUSE_MS = 10_000

/** A session that was opened, with whose it is. */
export interface OpenedSession {
  readonly until: number
  readonly session: Session
  readonly token: IdentifiedToken
}

/** The sessions of one provider: in the browsers, encrypted; here is only what makes that quick, and what is over early. */
export class Sessions {
  readonly party: RelyingParty
  readonly sealer: Sealer
  readonly logins: Sealer
  readonly #spec: OidcProvider
  readonly #parts: FilterParts
  readonly #opened = new VerifiedTokens<OpenedSession>()
  readonly #refreshed = new VerifiedTokens<{ readonly until: number; readonly session: Session }>(1_000)
  readonly #refreshing = new Map<string, Promise<Session | null>>()
  readonly #ended = new VerifiedTokens<{ readonly until: number }>()
  readonly #used = new VerifiedTokens<{ readonly until: number }>()
  #pausedUntil = -Infinity

  constructor(spec: OidcProvider, { jose, openid }: { jose: Jose; openid: OpenId }, parts: FilterParts) {
    const whom = `${spec.name} ${spec.clientId} ${spec.issuer}`
    this.party = new RelyingParty(spec, openid, parts)
    this.sealer = new Sealer(jose, spec.secrets, `session ${whom}`)
    this.logins = new Sealer(jose, spec.secrets, `login ${whom}`)
    this.#spec = spec
    this.#parts = parts
  }

  get wall(): number {
    return this.#parts.clock.wall()
  }

  /** The session in a cookie that was opened a moment ago, and that nothing is to be done about. */
  known(text: string, host: string): OpenedSession | undefined {
    const opened = this.#opened.get(hash('sha256', text, 'base64url'), this.#parts.clock.now())
    if (opened === undefined || opened.session.host !== host) return undefined
    const { session } = opened
    const { wall } = this
    return isOver(session, this.#spec, wall) || this.#isEnded(session) || this.#isDue(session, wall)
      ? undefined
      : opened
  }

  /**
   * Opens a cookie. `renewed`: the cookie has to be written anew.
   * @returns null where there is no session in it, or none any more
   */
  async open(text: string, host: string): Promise<(OpenedSession & { readonly renewed: boolean }) | null> {
    const { wall } = this
    const read = readSession(await this.sealer.open(text), this.#spec, host, wall)
    if (read === null || this.#isEnded(read)) return null
    let session: Session | null = read
    if (read.refreshAt !== null && wall >= read.refreshAt) session = await this.#refresh(read)
    if (session === null) return null
    const renewed = session !== read || this.#isStale(read, wall)
    if (session === read && renewed) session = { ...read, seenAt: wall }
    const token = identify(session, this.#spec)
    if (token === null) return null
    const opened = { until: this.#parts.clock.now() + KEPT_MS, session, token }
    if (!renewed) this.#opened.set(hash('sha256', text, 'base64url'), opened)
    return { ...opened, renewed }
  }

  /** Ends it before its time: its cookie is good for nothing any more, in this process. */
  end({ id }: Session): void {
    this.#ended.set(id, { until: this.#parts.clock.now() + this.#spec.max })
  }

  /** Whether a login comes back for the first time. */
  useOnce(state: string, milliseconds: number): boolean {
    const now = this.#parts.clock.now()
    if (this.#used.get(state, now) !== undefined) return false
    this.#used.set(state, { until: now + milliseconds })
    return true
  }

  #isEnded({ id }: Session): boolean {
    return this.#ended.get(id, this.#parts.clock.now()) !== undefined
  }

  #isDue(session: Session, wall: number): boolean {
    const due = session.refreshAt !== null && wall >= session.refreshAt
    return (due && this.#parts.clock.now() >= this.#pausedUntil) || this.#isStale(session, wall)
  }

  /** A cookie is written anew a few times in its idle time, not at each request. */
  #isStale({ seenAt }: Session, wall: number): boolean {
    return wall - seenAt >= Math.min(60_000, this.#spec.idle / 4)
  }

  /** All who bring it at once share one refresh, and who comes a little later its outcome: its token is good once. */
  #refresh(session: Session): Promise<Session | null> | Session {
    const { refreshToken } = session.tokens
    if (refreshToken === null) return session
    const key = hash('sha256', refreshToken, 'base64url')
    const { clock } = this.#parts
    const refreshed = this.#refreshed.get(key, clock.now())
    if (refreshed !== undefined) return refreshed.session
    const running = this.#refreshing.get(key)
    if (running !== undefined) return running
    if (clock.now() < this.#pausedUntil) return session
    const asked = this.#ask(session, refreshToken, key).finally(() => this.#refreshing.delete(key))
    this.#refreshing.set(key, asked)
    return asked
  }

  async #ask(session: Session, refreshToken: string, key: string): Promise<Session | null> {
    const { clock } = this.#parts
    try {
      const tokens = await this.party.refresh(refreshToken, session.tokens)
      const next = sessionOf(tokens, this.wall, session)
      this.#refreshed.set(key, { until: clock.now() + REFRESHED_MS, session: next })
      return next
    } catch (error) {
      if (error instanceof LoginRefused) {
        this.end(session)
        return null
      }
      if (!(error instanceof IssuerUnavailable)) throw error
      // Who is logged in stays so while the issuer is away.
      this.#pausedUntil = clock.now() + PAUSE_MS
      this.#parts.warn('sessions cannot be refreshed', { provider: this.#spec.name, why: error.message })
      return session
    }
  }
}
