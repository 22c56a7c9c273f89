import { cookieValue } from '../../exchange/cookies.ts'
import { type HeaderList, removeHeader } from '../../exchange/headers.ts'
import type { CredentialPlace } from './schema.ts'

/** Two credentials in one place: nobody can say which one the upstream would read. */
export const AMBIGUOUS = Symbol('ambiguous')

/** The credential at a place; null where there is none. `scheme` in lower case, for `authorization`. */
export function readCredential(
  headers: HeaderList,
  place: CredentialPlace,
  scheme = 'bearer',
): string | null | typeof AMBIGUOUS {
  if (place.kind === 'cookie') return readCookie(headers, place.name)
  const name = place.kind === 'bearer' ? 'authorization' : place.name
  let found: string | null = null
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue
    if (found !== null) return AMBIGUOUS
    found = headers[i + 1] as string
  }
  if (found === null || place.kind !== 'bearer') return found
  return schemeOf(found, scheme)
}

/**
 * What stands behind the scheme (RFC 9110 section 11.4), or null where it is another scheme. What follows the scheme's name
 * in any other way than by a space is a credential too, and no good one: a service may read it.
 */
function schemeOf(value: string, scheme: string): string | null {
  const length = scheme.length
  if (value.length < length || value.slice(0, length).toLowerCase() !== scheme) return null
  if (value.length > length && TOKEN_CHARACTER.test(value.charAt(length))) return null
  let from = length
  while (value.charCodeAt(from) === 0x20) from++
  return value.slice(from)
}

const TOKEN_CHARACTER = /[\w!#$%&'*+.^`|~-]/

/**
 * The cookie of a name. One whose name has blanks around it, or whose value is none by RFC 6265, is read as well: services
 * read it too, and must not get one that nobody looked at.
 */
function readCookie(headers: HeaderList, name: string): string | null | typeof AMBIGUOUS {
  let found: string | null = null
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue
    for (const pair of (headers[i + 1] as string).split(';')) {
      const equals = pair.indexOf('=')
      if (equals === -1 || pair.slice(0, equals).trim() !== name) continue
      if (found !== null) return AMBIGUOUS
      found = pair.slice(equals + 1).trim()
    }
  }
  return found === null ? null : (cookieValue(headers, name) ?? found)
}

/** Takes the credential out of a list: a header whole, a cookie from among the others. */
export function stripCredential(headers: HeaderList, place: CredentialPlace, scheme = 'bearer'): void {
  if (place.kind === 'header') removeHeader(headers, place.name)
  else if (place.kind === 'cookie') removeCookie(headers, place.name)
  else if (readCredential(headers, place, scheme) !== null) removeHeader(headers, 'authorization')
}

/** Takes every cookie of a name out; a line that holds no other goes whole. */
export function removeCookie(headers: HeaderList, name: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (headers[i] !== 'cookie') continue
    const pairs = (headers[i + 1] as string).split(';')
    const kept = pairs.filter(pair => pair.split('=', 1)[0]?.trim() !== name)
    if (kept.length === pairs.length) continue
    if (kept.length === 0) headers.splice(i, 2)
    else headers[i + 1] = kept.join(';').trim()
  }
}
