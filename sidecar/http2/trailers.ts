import type { HeaderList } from '../exchange/headers.ts'
import { forbiddenTrailer } from '../exchange/trailers.ts'

/** Whether a trailer section is malformed: pseudo fields (RFC 9113 section 8.1), fields of a connection or of framing. */
export function malformedTrailers(trailers: HeaderList): boolean {
  for (let i = 0; i < trailers.length; i += 2) {
    if ((trailers[i] as string).charCodeAt(0) === 0x3a) return true
  }
  return forbiddenTrailer(trailers) !== null
}
