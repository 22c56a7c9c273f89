import type { Transcript } from './transcript.ts'

/**
 * Where our reading of some bytes goes beyond another parser's, or null where it does not. The other one may accept
 * more than we do; what we accept must be read by it, and in the same way.
 */
export function difference(ours: Transcript, theirs: Transcript): string | null {
  // While a head is incomplete we have accepted nothing of it.
  if (ours.error === null && ours.at !== 'head' && theirs.error !== null) {
    return `only they refuse: ${theirs.error} at ${theirs.consumed}`
  }
  for (const [index, mine] of ours.messages.entries()) {
    const other = theirs.messages[index]
    if (other === undefined) return `only we see message ${index}: ${mine.start} (${theirs.error})`
    if (mine.start !== other.start) return `start lines: ${mine.start} and ${other.start}`
    if (mine.headers.join('\n') !== other.headers.join('\n')) {
      return `headers: ${JSON.stringify(mine.headers)} and ${JSON.stringify(other.headers)}`
    }
    if (mine.complete && !other.complete) return `only we see the end of message ${index} (${theirs.error})`
    if (mine.complete ? mine.body !== other.body : !other.body.startsWith(mine.body)) {
      return `bodies: ${JSON.stringify(mine.body)} and ${JSON.stringify(other.body)}`
    }
    for (let i = 0; i < mine.trailers.length; i += 2) {
      if (!other.trailers.includes(mine.trailers[i] as string))
        return `only we see a trailer ${mine.trailers[i]}`
    }
    if (mine.keepAlive && !other.keepAlive) return `only we keep the connection after message ${index}`
    // An upgrade asked for in HTTP/1.0 is none (RFC 9110 section 7.8); llhttp takes it for one, and stops.
    if (other.last && !mine.last && mine.start.endsWith(' 0')) return null
    // It waits for the fields of an upgrade before it takes 101 for one.
    if (mine.last && mine.start.startsWith('101 ')) return null
    if (mine.last !== other.last) return `only one sees an upgrade in message ${index}`
  }
  return null
}
