/** The kinds of providers in `authentication` that a route can ask for. */
export type ProviderKind = 'jwt' | 'introspection' | 'oidc' | 'apiKey' | 'mtls' | 'basic'

/** Who may call a route, and how they prove it. Plain data, as the loader resolved it. */
export interface AuthenticatePolicy {
  /** `any`: the first whose credential is there decides; `all`: each has to be there and good. */
  readonly mode: 'any' | 'all'
  readonly ways: readonly ProviderName[]
  /** Whether a request without any credential goes on, as nobody's. */
  readonly optional: boolean
  /** Of the providers that are named, and of consumers and plans: where one of them changes, so does the route. */
  readonly digest: string
}

/** A provider by its kind and name. */
export interface ProviderName {
  readonly kind: ProviderKind
  readonly name: string
}

/** Everything that says who may be calling. Plain data, as the loader resolved it. */
export interface IdentitySpec {
  /** By kind and name. */
  readonly providers: ProviderSpecs
  readonly consumers: readonly ConsumerSpec[]
  /** In the order written: the first that fits is a caller's plan. */
  readonly plans: readonly PlanSpec[]
  /** Of consumers and plans. */
  readonly digest: string
}

/** The providers of `authentication`, by name. */
export interface ProviderSpecs {
  readonly jwt: Readonly<Record<string, JwtProvider>>
  readonly introspection: Readonly<Record<string, IntrospectionProvider>>
  readonly oidc: Readonly<Record<string, OidcProvider>>
  readonly apiKey: Readonly<Record<string, ApiKeyProvider>>
  readonly mtls: Readonly<Record<string, MtlsProvider>>
  readonly basic: Readonly<Record<string, BasicProvider>>
}

/** Where in a request a credential stands. */
export type CredentialPlace =
  /** `authorization: Bearer`. */
  | { readonly kind: 'bearer' }
  /** A header that holds nothing else. */
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }

/** Where the keys of tokens come from. */
export type JwtKeys =
  /** Shared, for HS256, HS384 and HS512. */
  | { readonly kind: 'secret'; readonly secret: string | Uint8Array<ArrayBuffer> }
  /** A key set that a file held. */
  | { readonly kind: 'set'; readonly keys: readonly Jwk[] }
  | { readonly kind: 'url'; readonly url: string }
  /** What the issuer says at `/.well-known/openid-configuration`. */
  | { readonly kind: 'discovery'; readonly issuer: string }

/** A key of a set (RFC 7517), of which only what is known is read. */
export type Jwk = Readonly<Record<string, unknown>>

/** Tokens that say who calls (RFC 7519). */
export interface JwtProvider {
  readonly name: string
  readonly keys: JwtKeys
  /** Signature algorithms that are accepted; never what a token says. */
  readonly algorithms: readonly string[]
  /** Whether the configuration says them; else a key without `alg` takes what its kind is used with. */
  readonly chosen: boolean
  /** Null: not looked at. */
  readonly issuer: string | null
  /** One of these has to be in `aud`; null: not looked at. */
  readonly audiences: readonly string[] | null
  /** Whether a token without `exp` is refused. */
  readonly expires: boolean
  /** Accepted values of the header's `typ`, lower case, without `application/`; an absent `typ` passes where `jwt` is among them. */
  readonly types: readonly string[]
  /** Milliseconds that clocks may differ. */
  readonly skew: number
  readonly from: CredentialPlace
  /** Whether the token goes upstream. */
  readonly forward: boolean
  /** The claim that says who calls. */
  readonly subject: string
  /** The claim that lists groups; null: none does. */
  readonly groups: string | null
  readonly claimHeaders: readonly (readonly [header: string, claim: string])[]
  /** Upstreams get what the token is exchanged for; absent: the token, where `forward` says so. */
  readonly exchange?: ExchangeSpec
  /** What tokens have to be bound to: a client certificate (RFC 8705) or a key (RFC 9449); null: those that are bound to one are held to it. */
  readonly proof: 'mtls' | 'dpop' | null
  /** Of everything above. */
  readonly digest: string
  /** Tokens and callers that are refused all the same; absent: none. No part of the digest: what is kept of tokens stays. */
  readonly revoked?: RevokedSpec
}

/** Where tokens are exchanged for those that upstreams take (RFC 8693). */
export interface ExchangeSpec {
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  /** Whom the token is for: a name, and a URL; null: not said. */
  readonly audience: string | null
  readonly resource: string | null
  readonly scopes: readonly string[]
  /** Milliseconds that an answer is waited for. */
  readonly timeout: number
}

/** Tokens, by `jti`, and callers that are refused before their time. */
export interface RevokedSpec {
  readonly tokens: readonly string[]
  /** With the moment before which their credentials were issued, in milliseconds since 1970; null: whenever. */
  readonly subjects: readonly (readonly [subject: string, before: number | null])[]
  readonly digest: string
}

/** What the claims of a token have to say, and what is read of them. */
export type ClaimRules = Pick<JwtProvider, 'issuer' | 'audiences' | 'expires' | 'skew' | 'subject' | 'groups'>

/** Tokens of which their issuer says whether they are good (RFC 7662). */
export interface IntrospectionProvider extends ClaimRules {
  readonly name: string
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  /** Milliseconds that an answer is waited for. */
  readonly timeout: number
  /** Milliseconds that a good token is good without asking again; 0: every request asks. */
  readonly cache: number
  readonly from: CredentialPlace
  /** Whether the token goes upstream. */
  readonly forward: boolean
  /** Upstreams get what the token is exchanged for. */
  readonly exchange?: ExchangeSpec
  readonly claimHeaders: readonly (readonly [header: string, claim: string])[]
  /** Of everything above. */
  readonly digest: string
  /** Tokens and callers that are refused all the same; absent: none. No part of the digest: what is kept of tokens stays. */
  readonly revoked?: RevokedSpec
}

/** Logins of browsers at an issuer (OpenID Connect). */
export interface OidcProvider {
  readonly name: string
  readonly issuer: string
  readonly clientId: string
  /** Null: a public client. */
  readonly clientSecret: string | null
  readonly scopes: readonly string[]
  /** The path that the issuer sends browsers back to. */
  readonly callback: string
  /** The path that ends a session; null: none does. */
  readonly logout: string | null
  /** Where the issuer sends browsers after that; null: nowhere. */
  readonly afterLogout: string | null
  /** What cookies are encrypted with: the first encrypts, all decrypt. */
  readonly secrets: readonly string[]
  /** Whether the issuer's userinfo endpoint is asked for more claims. */
  readonly userinfo: boolean
  /** Whether upstreams get the access token as `authorization: Bearer`. */
  readonly relay: boolean
  /** They get what it is exchanged for. */
  readonly exchange?: ExchangeSpec
  /** Milliseconds without a request, and from the login on, after which a session is over. */
  readonly idle: number
  readonly max: number
  readonly subject: string
  readonly groups: string | null
  readonly claimHeaders: readonly (readonly [header: string, claim: string])[]
  /** Of everything above. */
  readonly digest: string
  /** Tokens and callers that are refused all the same; absent: none. No part of the digest: what is kept of tokens stays. */
  readonly revoked?: RevokedSpec
}

/** Keys that clients send in a header or a cookie of their own. */
export interface ApiKeyProvider {
  readonly name: string
  readonly from: Exclude<CredentialPlace, { readonly kind: 'bearer' }>
}

/** Certificates of the connection. Which are accepted says the listener's `tls.clients`. */
export interface MtlsProvider {
  readonly name: string
}

/** Names and passwords (RFC 7617), for development. */
export interface BasicProvider {
  readonly name: string
  readonly realm: string
  /** SHA-256 digests in hex, by user. */
  readonly users: Readonly<Record<string, string>>
}

/** An entry of `consumers`. */
export interface ConsumerSpec {
  readonly name: string
  readonly groups: readonly string[]
  /** Its own plan, which goes before what its groups would give it; null: none. */
  readonly plan: string | null
  readonly apiKeys: readonly ApiKeyDigest[]
  readonly jwt: readonly TokenSubject[]
  /** SPIFFE IDs. */
  readonly spiffe: readonly string[]
  /** User names, by provider. */
  readonly basic: readonly TokenSubject[]
}

/** A key as it is stored: what it is cannot be read from it. */
export interface ApiKeyDigest {
  /** SHA-256 in lower-case hex. */
  readonly sha256: string
  /** When it ends, in milliseconds since 1970; null: it does not. */
  readonly expires: number | null
  /** The only provider whose place it is accepted in; null: each. */
  readonly provider: string | null
}

/** A name that a provider gives to who calls. */
export interface TokenSubject {
  readonly provider: string
  readonly subject: string
}

/** An entry of `plans`. */
export interface PlanSpec {
  readonly name: string
  /** Whoever is in one of these has the plan. */
  readonly groups: readonly string[]
  /** And whoever this expression is true for; null: nobody else. */
  readonly when: string | null
}
