import type { Configuration } from 'openid-client'
import type { FilterParts } from '../../filter.ts'
import { FetchFailed, fetchJson } from '../fetch-json.ts'
import type { OidcProvider } from '../schema.ts'
import type { OpenId } from './openid.ts'

const TIMEOUT_MS = 5_000
const MAX_BYTES = 256 * 1024
/** What an issuer says of itself is read again after this time, in milliseconds. */
const KEPT_MS = 3_600_000
/** Between tries that fail. */
const PAUSE_MS = 1_000

/** What only the ID token says: of itself, and for whom it is. */
const OF_TOKEN: ReadonlySet<string> = new Set([
  'iss',
  'aud',
  'azp',
  'exp',
  'iat',
  'nbf',
  'jti',
  'nonce',
  'acr',
  'amr',
  'sid',
])

/** What a login or a refresh brought. */
export interface Tokens {
  readonly claims: Readonly<Record<string, unknown>>
  readonly idToken: string
  /** For upstreams; absent: they get none. */
  readonly accessToken?: string
  readonly refreshToken: string | null
  /** Seconds that the access token is good for; null: not said. */
  readonly expiresIn: number | null
}

/** What the library asks for. */
interface Asked {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: unknown
}

/** Nobody can tell: the issuer cannot be reached. For the log. */
export class IssuerUnavailable extends Error {}
/** The issuer, or what came in its name, is not what was agreed. For the log. */
export class LoginRefused extends Error {}

/**
 * We, as a client of an issuer (OpenID Connect Core 1.0; RFC 9700): the authorization code flow with PKCE, `state`, `nonce`
 * and `iss`. What the issuer says of itself is asked for when it is needed, and serves on while the issuer is away.
 */
export class RelyingParty {
  readonly #spec: OidcProvider
  readonly #openid: OpenId
  readonly #parts: FilterParts
  #config: Configuration | null = null
  #readAt = -Infinity
  #failedAt = -Infinity
  #pending: Promise<Configuration> | null = null

  constructor(spec: OidcProvider, openid: OpenId, parts: FilterParts) {
    this.#spec = spec
    this.#openid = openid
    this.#parts = parts
  }

  /** Where a browser is sent, and what has to be remembered until it comes back. @throws IssuerUnavailable */
  async begin(redirect: string): Promise<{ url: string; state: string; nonce: string; verifier: string }> {
    const config = await this.#configuration()
    const { randomState, randomNonce, randomPKCECodeVerifier, calculatePKCECodeChallenge } = this.#openid
    const state = randomState()
    const nonce = randomNonce()
    const verifier = randomPKCECodeVerifier()
    const url = this.#openid.buildAuthorizationUrl(config, {
      response_type: 'code',
      redirect_uri: redirect,
      scope: this.#spec.scopes.join(' '),
      state,
      nonce,
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    return { url: url.href, state, nonce, verifier }
  }

  /** What the code of a callback is good for. @throws IssuerUnavailable, LoginRefused */
  async finish(callback: URL, began: { state: string; nonce: string; verifier: string }): Promise<Tokens> {
    const config = await this.#configuration()
    return this.#asking(async () => {
      const tokens = await this.#openid.authorizationCodeGrant(config, callback, {
        expectedState: began.state,
        expectedNonce: began.nonce,
        pkceCodeVerifier: began.verifier,
        idTokenExpected: true,
      })
      const claims = tokens.claims()
      if (claims === undefined) throw new LoginRefused('there is no id token')
      return {
        claims: {
          ...claims,
          ...(await this.#userinfo(config, tokens.access_token, claims.sub)),
          scope: tokens.scope ?? this.#spec.scopes.join(' '),
        },
        idToken: tokens.id_token ?? '',
        ...this.#kept(tokens.access_token),
        refreshToken: tokens.refresh_token ?? null,
        expiresIn: tokens.expires_in ?? null,
      }
    })
  }

  /** @throws IssuerUnavailable, LoginRefused */
  async refresh(refreshToken: string, before: Pick<Tokens, 'claims' | 'idToken'>): Promise<Tokens> {
    const config = await this.#configuration()
    return this.#asking(async () => {
      const tokens = await this.#openid.refreshTokenGrant(config, refreshToken)
      const claims = tokens.claims()
      // OpenID Connect Core 1.0, section 12.2.
      if (claims !== undefined && claims.sub !== before.claims['sub'])
        throw new LoginRefused('a refresh brought somebody else')
      const subject = String(before.claims['sub'])
      const more = await this.#userinfo(config, tokens.access_token, subject)
      return {
        claims:
          claims === undefined
            ? { ...before.claims, ...more }
            : { ...claims, ...more, scope: tokens.scope ?? before.claims['scope'] },
        idToken: tokens.id_token ?? before.idToken,
        ...this.#kept(tokens.access_token),
        refreshToken: tokens.refresh_token ?? refreshToken,
        expiresIn: tokens.expires_in ?? null,
      }
    })
  }

  /** More claims (OpenID Connect Core 1.0, section 5.3), where the configuration asks for them. */
  async #userinfo(
    config: Configuration,
    accessToken: string,
    subject: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (!this.#spec.userinfo) return {}
    // It checks that they are of the same subject.
    const info = await this.#openid.fetchUserInfo(config, accessToken, subject)
    return Object.fromEntries(Object.entries(info).filter(([name]) => !OF_TOKEN.has(name)))
  }

  /** A cookie holds no more than it has to. */
  #kept(accessToken: string): Pick<Tokens, 'accessToken'> {
    return this.#spec.relay ? { accessToken } : {}
  }

  /** Ends it at the issuer as far as that can be done from here. @returns where the browser ends it; null: nowhere */
  async end(
    session: { idToken: string; refreshToken: string | null },
    after: string | null,
  ): Promise<string | null> {
    try {
      const config = await this.#configuration()
      const { end_session_endpoint: endpoint, revocation_endpoint: revocation } = config.serverMetadata()
      // Nobody waits for it: the session is over here in any case.
      if (session.refreshToken !== null && revocation !== undefined)
        this.#openid.tokenRevocation(config, session.refreshToken).catch(() => {})
      if (endpoint === undefined) return null
      const hint = session.idToken === '' ? {} : { id_token_hint: session.idToken }
      const then = after === null ? {} : { post_logout_redirect_uri: after }
      return this.#openid.buildEndSessionUrl(config, { ...hint, ...then }).href
    } catch (error) {
      if (error instanceof IssuerUnavailable) return null
      throw error
    }
  }

  async #configuration(): Promise<Configuration> {
    const { clock } = this.#parts
    if (this.#config !== null && clock.now() - this.#readAt < KEPT_MS) return this.#config
    if (this.#parts.offline === true) throw new IssuerUnavailable('nobody is asked')
    if (this.#pending === null && clock.now() - this.#failedAt >= PAUSE_MS)
      this.#pending = this.#discover().finally(() => (this.#pending = null))
    if (this.#config !== null) {
      // It is asked again beside those who go on with what is known.
      this.#pending?.catch(() => {})
      return this.#config
    }
    if (this.#pending === null) throw new IssuerUnavailable('it failed a moment ago')
    return this.#pending
  }

  async #discover(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.#spec
    const { discovery, customFetch, allowInsecureRequests, ClientSecretBasic, None } = this.#openid
    try {
      const found = await discovery(
        new URL(issuer),
        clientId,
        undefined,
        clientSecret === null ? None() : ClientSecretBasic(clientSecret),
        {
          // Plain HTTP goes to loopback addresses only: `fetchJson` sees to that.
          execute: [allowInsecureRequests],
          [customFetch]: (url: string, options: Asked) => this.#fetch(url, options),
        },
      )
      this.#config = found
      this.#readAt = this.#parts.clock.now()
      return found
    } catch (error) {
      this.#failedAt = this.#parts.clock.now()
      const why = messageOf(error)
      this.#parts.warn('an issuer of logins cannot be asked', { issuer, why })
      throw new IssuerUnavailable(why)
    }
  }

  async #fetch(url: string, { method, headers, body }: Asked): Promise<Response> {
    const text = body instanceof URLSearchParams || typeof body === 'string' ? String(body) : ''
    const answer = await fetchJson(
      {
        url,
        method: method === 'POST' ? 'POST' : 'GET',
        headers: {
          ...headers,
          ...(text === '' ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
        },
        ...(text === '' ? {} : { body: text }),
        timeout: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
      },
      this.#parts.wheel,
    )
    return Response.json(answer.json, { status: answer.status })
  }

  async #asking(work: () => Promise<Tokens>): Promise<Tokens> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof LoginRefused) throw error
      if (isUnreachable(error)) throw new IssuerUnavailable(messageOf(error))
      throw new LoginRefused(messageOf(error))
    }
  }
}

/** No answer, or one of a server that is not well, wherever the library wrapped it. */
function isUnreachable(error: unknown): boolean {
  for (let one: unknown = error, deep = 0; one instanceof Error && deep < 4; one = one.cause, deep++) {
    if (one instanceof FetchFailed) return true
    if ('status' in one && typeof one.status === 'number' && isUnwell(one.status)) return true
    if (one.cause instanceof Response && isUnwell(one.cause.status)) return true
  }
  return false
}

/** RFC 6585 section 4: who is asked too often has refused nothing. */
function isUnwell(status: number): boolean {
  return status >= 500 || status === 429
}

/** What the library says, without what it was given: codes and tokens stand in no log. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code = 'error' in error && typeof error.error === 'string' ? error.error : ''
  const inner = error.cause instanceof Error ? error.cause.message : ''
  return [code, error.message, inner].filter(part => part !== '').join(': ')
}
