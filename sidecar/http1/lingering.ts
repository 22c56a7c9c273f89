import type { Channel } from '../runtime/channel.ts'

/** How long a closing connection reads on, so that a client in the middle of writing still gets its answer. */
export const LINGER_MS = 2000

/**
 * Ends a connection so that what was written arrives: FIN, and what still comes is read, since a close with unread
 * bytes is a reset that would throw our last words away.
 * @param ended whether the peer has closed its side, so that nothing more can come
 * @returns whether it lingers: whoever calls ends it when the time is over
 */
export function linger(channel: Channel, ended: boolean): boolean {
  const over = ended && channel.backlog === 0
  channel.end()
  if (over) {
    channel.destroy()
    return false
  }
  channel.settle()
  channel.resume()
  return true
}

/**
 * Ends a connection so that what was written cannot be taken for a whole.
 * @param unframed whether a plain end would look like the body's: it has neither a length nor chunks
 */
export function breakOff(channel: Channel, unframed: boolean): void {
  if (unframed) channel.reset()
  else channel.destroy()
}
