/** How a caller proved who it is. */
export type CallerMethod = 'jwt' | 'apiKey' | 'oidc' | 'introspection' | 'mtls' | 'basic' | 'external'

/** Who is calling, whichever credential said so. Made by what authenticated the request; shared by its requests, so frozen. */
export interface Caller {
  /** The name of an entry of `consumers`, or `provider/subject`, which is never an entry's name. */
  readonly name: string
  /** Whether it is an entry of `consumers`. */
  readonly known: boolean
  readonly groups: readonly string[]
  /** The plan that its entry or its groups give it; null: none. */
  readonly plan: string | null
  readonly method: CallerMethod
  /** The name of the provider in `authentication`. */
  readonly provider: string
  readonly scopes: readonly string[]
  /** Of the verified token, session or introspection; empty without one. Without prototype. */
  readonly claims: Claims
  /** When the credential ends, in milliseconds since 1970; null: it does not. */
  readonly expiresAt: number | null
}

/** What a verified credential says, as JSON reads it. */
export type Claims = Readonly<Record<string, unknown>>

/** No claims. */
export const NO_CLAIMS: Claims = Object.freeze(Object.create(null) as Record<string, unknown>)

/**
 * The claim of a name, or along a path of names (`realm_access.roles`); undefined where there is none. A name with dots
 * in it is found before it is read as a path.
 */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name] // an object that has this name
  }
  return value
}

/** A claim as text: a text, a number or a boolean; null where it is something else, not there, or a number that was rounded. */
export function claimText(claims: Claims, path: string): string | null {
  const value = claimAt(claims, path)
  if (typeof value === 'string') return value
  if (typeof value === 'number') return isExact(value) ? String(value) : null
  return typeof value === 'boolean' ? String(value) : null
}

/** Whether a number of JSON is surely what was written: beyond 2^53 two numbers are read as one, and so two callers would be. */
export function isExact(value: number): boolean {
  return !Number.isInteger(value) || Number.isSafeInteger(value)
}
