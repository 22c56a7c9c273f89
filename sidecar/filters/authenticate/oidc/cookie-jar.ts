import { cookieValue } from '../../../exchange/cookies.ts'
import type { HeaderList } from '../../../exchange/headers.ts'

/** What the names of our cookies begin with; the provider's follows. Names of providers hold no `~`. */
export const SESSION_COOKIE = '__Host-og~'
/** Those of logins that are under way. */
export const LOGIN_COOKIE = '__Host-og-login~'

/** Browsers keep 4,096 bytes a cookie, name and attributes included. */
const PIECE = 3_800
/** More than these would not fit into the heads that services accept. */
const PIECES = 3
/** `__Host-`: of this host alone, never from plain HTTP, never from a sibling domain (RFC 6265bis section 4.1.3). */
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax'

/** What stands in several cookies of a name, joined; null where there is none, or a piece is missing. */
export function readPieces(headers: HeaderList, name: string): string | null {
  const first = cookieValue(headers, name)
  if (first === null) return null
  const match = /^([1-3])~(.*)$/.exec(first)
  if (match === null) return null
  const pieces = [match[2] ?? '']
  for (let at = 1; at < Number(match[1]); at++) {
    const piece = cookieValue(headers, `${name}~${at}`)
    if (piece === null) return null
    pieces.push(piece)
  }
  return pieces.join('')
}

/** The lines that set it; null where it is too large. Without an age it ends with the browser's session. */
export function writePieces(name: string, value: string): string[] | null {
  const count = Math.ceil(value.length / PIECE)
  if (count > PIECES) return null
  return Array.from({ length: PIECES }, (_, at) => {
    const key = at === 0 ? name : `${name}~${at}`
    if (at >= count) return clear(key)
    const piece = value.slice(at * PIECE, (at + 1) * PIECE)
    return `${key}=${at === 0 ? `${count}~` : ''}${piece}; ${ATTRIBUTES}`
  })
}

/** The lines that take it away. */
export function clearPieces(name: string): string[] {
  return namesOf(name).map(clear)
}

/** Every cookie that it may stand in. */
export function namesOf(name: string): string[] {
  return Array.from({ length: PIECES }, (_, at) => (at === 0 ? name : `${name}~${at}`))
}

/** @param seconds how long it is kept */
export function setFor(name: string, value: string, seconds: number): string {
  return `${name}=${value}; Max-Age=${seconds}; ${ATTRIBUTES}`
}

/** The line that takes one cookie away. */
export function clear(name: string): string {
  return `${name}=; Max-Age=0; ${ATTRIBUTES}`
}

/** The names of the request's cookies that begin so. */
export function cookieNames(headers: HeaderList, prefix: string): string[] {
  const found = new Set<string>()
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue
    for (const pair of (headers[i + 1] as string).split(';')) {
      const name = pair.split('=', 1)[0]?.trim() ?? ''
      if (name.startsWith(prefix)) found.add(name)
    }
  }
  return [...found]
}
