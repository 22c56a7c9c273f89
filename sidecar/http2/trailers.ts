import type { HeaderList } from '../exchange/headers.ts'

const CONNECTION_SPECIFIC = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** Whether a trailer section is malformed: pseudo fields (RFC 9113 section 8.1), fields of a connection (section 8.2.2). */
export function malformedTrailers(trailers: HeaderList): boolean {
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string // name and value in turn
    if (name.charCodeAt(0) === 0x3a || CONNECTION_SPECIFIC.has(name)) return true
  }
  return false
}
