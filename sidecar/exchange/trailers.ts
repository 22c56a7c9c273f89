import type { HeaderList } from './headers.ts'
import { isReserved } from './reserved-names.ts'

/** Trailers that would frame the message or its connection: who sends them tries something. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Trailers that are harmless to leave out and must not be merged into the head by anyone behind us. */
const DROPPED: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'expect',
  'expires',
  'forwarded',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'retry-after',
  'set-cookie',
  'vary',
  'via',
  'warning',
  'www-authenticate',
])

/** The field of a trailer section that must not stand there (RFC 9110 section 6.5.1), or null. */
export function forbiddenTrailer(trailers: HeaderList): string | null {
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string
    if (FORBIDDEN.has(name)) return name
  }
  return null
}

/**
 * The trailers that may be passed on: without those that belong into the head, and of a request without what no client
 * may say about itself, aliases with underscores included (rows 13 to 15). Null where none is left.
 */
export function passedTrailers(trailers: HeaderList, side: 'request' | 'response'): HeaderList | null {
  const passed: HeaderList = []
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string
    if (DROPPED.has(name)) continue
    if (side === 'request' && (name === 'x-request-id' || name.includes('_') || isReserved(name))) continue
    passed.push(name, trailers[i + 1] as string)
  }
  return passed.length > 0 ? passed : null
}
