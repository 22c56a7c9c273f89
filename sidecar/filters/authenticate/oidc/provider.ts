import { randomBytes } from 'node:crypto'
import { cookieValue, removeCookie } from '../../../exchange/cookies.ts'
import { ContextKey } from '../../../exchange/context-key.ts'
import type { Exchange } from '../../../exchange/exchange.ts'
import { headerValue } from '../../../exchange/headers.ts'
import { ProxyError } from '../../../exchange/proxy-error.ts'
import type { FilterAnswer, FilterLive } from '../../filter.ts'
import type { ConsumerDirectory } from '../consumers.ts'
import type { Identity } from '../identity.ts'
import { type Proof, type Provider, type Refusal, rejected } from '../provider.ts'
import { openRevocations, type Revocations } from '../revocations.ts'
import type { OidcProvider } from '../schema.ts'
import { leaveCookies } from '../set-cookies.ts'
import { openExchange } from '../token-exchange.ts'
import { Slots } from '../slots.ts'
import { callerOf } from '../token-caller.ts'
import {
  clear,
  clearPieces,
  cookieNames,
  LOGIN_COOKIE,
  namesOf,
  readPieces,
  SESSION_COOKIE,
  setFor,
  writePieces,
} from './cookie-jar.ts'
import { isForeign, isNavigation, returnPath } from './navigation.ts'
import { IssuerUnavailable, LoginRefused, type Tokens } from './relying-party.ts'
import { identify, type Login, readLogin, readSession, type Session, sessionOf } from './session.ts'
import { type OpenedSession, Sessions } from './sessions.ts'

/** The access token of a request's session. */
const ACCESS = new ContextKey<string>('access token')
/** How long a login may take, in milliseconds. */
const LOGIN_MS = 600_000
/** Logins of one browser that are under way; when another begins beside so many, they are forgotten. */
const LOGINS = 3
/** Codes that are exchanged at a time, and that wait for it. */
const SLOTS = { running: 32, waiting: 256 }
const STATE = /^[A-Za-z0-9_-]{16,128}$/

/** Browsers that logged in at an issuer (OpenID Connect), with their session in an encrypted cookie. */
export class BrowserSessions implements Provider {
  readonly kind = 'oidc'
  readonly name: string
  readonly challenge = 'Session realm="outrigger"'
  readonly bringsClaims = true
  readonly ambient = true
  readonly claimHeaders: Provider['claimHeaders']
  readonly relay?: NonNullable<Provider['relay']>
  readonly #spec: OidcProvider
  readonly #consumers: ConsumerDirectory
  readonly #sessions: Sessions
  readonly #slots: Slots
  readonly #revoked: Revocations | null
  readonly #cookie: string
  readonly #login: string

  constructor(spec: OidcProvider, { consumers, jose, openid }: Identity, live: FilterLive) {
    if (jose === null || openid === null) throw new Error('the libraries for logins were not loaded')
    const none = (): void => {}
    this.name = spec.name
    this.claimHeaders = spec.claimHeaders
    this.#spec = spec
    this.#consumers = consumers
    this.#revoked = openRevocations(spec.revoked)
    if (spec.relay) {
      const tokens = openExchange(spec, live)
      this.relay = (exchange, caller) => {
        const token = exchange.get(ACCESS) ?? null
        return token === null || tokens === null ? token : tokens.relay(token, caller, this.challenge)
      }
    }
    this.#sessions = live.use(
      ['oidc', spec.digest],
      parts => new Sessions(spec, { jose, openid }, parts),
      none,
    )
    this.#slots = live.use(['oidc-codes'], () => new Slots(SLOTS.running, SLOTS.waiting), none)
    this.#cookie = SESSION_COOKIE + spec.name
    this.#login = `${LOGIN_COOKIE}${spec.name}~`
  }

  prove(exchange: Exchange): Proof | Promise<Proof> | null {
    const path = exchange.request?.path
    if (path === this.#spec.callback) return this.#finish(exchange)
    if (path === this.#spec.logout) return this.#logout(exchange)
    const text = readPieces(exchange.headers, this.#cookie)
    if (text === null) return null
    const known = this.#sessions.known(text, hostOf(exchange))
    if (known === undefined || this.#isRevoked(known)) return this.#open(exchange, text)
    this.#keepAccess(exchange, known.session)
    return callerOf(known.token, this, this.#consumers)
  }

  /** Sends a browser that wants to show a page to the issuer. */
  invite(exchange: Exchange): Promise<Refusal> | null {
    return isNavigation(exchange) ? this.#begin(exchange) : null
  }

  strip(exchange: Exchange): void {
    for (const name of namesOf(this.#cookie)) removeCookie(exchange.upstreamHeaders, name)
    for (const name of cookieNames(exchange.upstreamHeaders, this.#login))
      removeCookie(exchange.upstreamHeaders, name)
  }

  async #open(exchange: Exchange, text: string): Promise<Proof> {
    const opened = await this.#sessions.open(text, hostOf(exchange))
    if (opened === null || this.#isRevoked(opened)) {
      leaveCookies(exchange, clearPieces(this.#cookie))
      return isNavigation(exchange)
        ? this.#begin(exchange)
        : rejected(this.challenge, 'the session is over, or none of ours')
    }
    if (opened.renewed) {
      const lines = await this.#seal(opened.session)
      if (lines !== null) leaveCookies(exchange, lines)
    }
    this.#keepAccess(exchange, opened.session)
    return callerOf(opened.token, this, this.#consumers)
  }

  /** A token that has ended would only be refused by whoever reads it. */
  #keepAccess(exchange: Exchange, { tokens: { accessToken }, accessUntil = null }: Session): void {
    if (!this.#spec.relay || accessToken === undefined) return
    if (accessUntil === null || this.#sessions.wall < accessUntil) exchange.set(ACCESS, accessToken)
  }

  /** A session is as old as its login. */
  #isRevoked({ session, token }: OpenedSession): boolean {
    return this.#revoked?.refuses(token.identity, session.loginAt) === true
  }

  async #begin(exchange: Exchange): Promise<Refusal> {
    const origin = originOf(exchange)
    if (origin === null) return rejected(this.challenge, 'a login needs https: its cookies go nowhere else')
    try {
      const { url, state, nonce, verifier } = await this.#sessions.party.begin(origin + this.#spec.callback)
      const { request } = exchange
      const returnTo = returnPath((request?.path ?? '/') + (request?.hasQuery ? `?${request.query}` : ''))
      const until = this.#sessions.wall + LOGIN_MS
      const login: Login = { state, nonce, verifier, host: hostOf(exchange), returnTo, until }
      const others = cookieNames(exchange.headers, this.#login)
      if (others.length >= LOGINS) leaveCookies(exchange, others.map(clear))
      const sealed = await this.#sessions.logins.seal(login)
      leaveCookies(exchange, [setFor(this.#loginOf(state), sealed, LOGIN_MS / 1000)])
      return redirect(302, url)
    } catch (error) {
      return this.#unavailable(error)
    }
  }

  async #finish(exchange: Exchange): Promise<Refusal> {
    const query = exchange.request?.query ?? ''
    const state = new URLSearchParams(query).get('state') ?? ''
    const host = hostOf(exchange)
    const origin = originOf(exchange)
    if (exchange.method !== 'GET' || !STATE.test(state) || origin === null)
      return rejected(this.challenge, 'it is no answer to a login')
    const name = this.#loginOf(state)
    const sealed = cookieValue(exchange.headers, name)
    const kept = sealed === null ? null : await this.#sessions.logins.open(sealed)
    const login = readLogin(kept, state, host, this.#sessions.wall)
    // One use: whatever becomes of it.
    leaveCookies(exchange, [clear(name)])
    if (login === null) return this.#refuse('the login began elsewhere, or too long ago')
    if (!this.#sessions.useOnce(state, LOGIN_MS)) return this.#refuse('the login came back twice')
    try {
      const callback = new URL(`${origin}${this.#spec.callback}?${query}`)
      const asked = this.#slots.run(() => this.#sessions.party.finish(callback, login))
      if (asked === null) return new ProxyError('overloaded', '', { cause: 'logins' })
      return await this.#begun(exchange, await asked, login)
    } catch (error) {
      if (error instanceof LoginRefused) return this.#refuse(error.message)
      return this.#unavailable(error)
    }
  }

  /** A session with an identifier of its own: what a browser had before is not taken over. */
  async #begun(exchange: Exchange, tokens: Tokens, { host, returnTo }: Login): Promise<Refusal> {
    const { wall } = this.#sessions
    const id = randomBytes(18).toString('base64url')
    const session = sessionOf(tokens, wall, { id, host, loginAt: wall })
    if (identify(session, this.#spec) === null) return this.#refuse('its claims name nobody')
    const lines = await this.#seal(session)
    if (lines === null) return this.#refuse('its claims do not fit into cookies')
    leaveCookies(exchange, lines)
    return redirect(303, returnPath(returnTo))
  }

  async #logout(exchange: Exchange): Promise<Refusal> {
    if (isForeign(exchange) || !/^(GET|POST)$/.test(exchange.method))
      return new ProxyError('forbidden', '', { cause: 'a logout that another site asks for' })
    const host = hostOf(exchange)
    const text = readPieces(exchange.headers, this.#cookie)
    const opened = text === null ? null : await this.#sessions.sealer.open(text)
    const session = readSession(opened, this.#spec, host, this.#sessions.wall)
    leaveCookies(exchange, clearPieces(this.#cookie))
    let url: string | null = null
    if (session !== null) {
      this.#sessions.end(session)
      const origin = originOf(exchange)
      const after =
        this.#spec.afterLogout === null || origin === null ? null : origin + this.#spec.afterLogout
      url = await this.#sessions.party.end(session.tokens, after)
    }
    url ??= this.#spec.afterLogout
    if (url !== null) return redirect(303, url)
    return { status: 200, headers: ['content-type', 'text/plain', ...NOT_KEPT], body: 'Logged out.\n' }
  }

  /** The lines of its cookies; without the hint for the logout where it would not fit. */
  async #seal(session: Session): Promise<string[] | null> {
    const whole = writePieces(this.#cookie, await this.#sessions.sealer.seal(session))
    if (whole !== null) return whole
    const less = { ...session, tokens: { ...session.tokens, idToken: '' } }
    return writePieces(this.#cookie, await this.#sessions.sealer.seal(less))
  }

  #loginOf(state: string): string {
    return this.#login + state.slice(0, 12)
  }

  #refuse(cause: string): ProxyError {
    return rejected(this.challenge, `login: ${cause}`)
  }

  #unavailable(error: unknown): ProxyError {
    if (!(error instanceof IssuerUnavailable)) throw error
    const cause = `logins of ${this.name}: ${error.message}`
    return new ProxyError('identity_provider_unavailable', '', { cause })
  }
}

const NOT_KEPT = ['cache-control', 'no-store']

function redirect(status: number, location: string): FilterAnswer {
  return { status, headers: ['location', location, ...NOT_KEPT], body: '' }
}

/** With the port that the browser named: what its cookies do not tell apart, sessions do. */
function hostOf({ request }: Exchange): string {
  return request === null ? '' : request.host + (request.port === 0 ? '' : `:${request.port}`)
}

/** Null where cookies that are only sent over https would not come back. */
function originOf(exchange: Exchange): string | null {
  const host = hostOf(exchange)
  const proto = headerValue(exchange.upstreamHeaders, 'x-forwarded-proto') ?? exchange.request?.scheme
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host)
  return host !== '' && (proto === 'https' || loopback) ? `${proto}://${host}` : null
}
