import type { Channel } from './channel.ts'

/** What is counted of connections that are closing and read on for a while; plain fields. */
export interface LingeringCounters {
  active: number
  cut: number
}

/** How long a closing connection reads on, so that a client in the middle of writing still gets its answer. */
export const LINGER_MS = 2000
/** How many of a process may do so at once (row 5): what is beyond closes at once. */
const LINGERING = 256

/**
 * Ends a connection so that what was written arrives: FIN, and what still comes is read, since a close with unread
 * bytes is a reset that would throw our last words away.
 * @param ended whether the peer has closed its side, so that nothing more can come
 * @param counters of the process
 * @returns whether it lingers: whoever calls ends it when the time is over
 */
export function linger(channel: Channel, ended: boolean, counters: LingeringCounters): boolean {
  channel.turn()
  const over = ended && channel.backlog === 0
  channel.end()
  // One that has bytes to take yet is a slow reader, whose own clock runs. Of the others the kernel has all we said, and
  // a client that was not in the middle of writing still gets it.
  const waits = channel.backlog === 0
  const full = waits && counters.active >= LINGERING
  if (full) counters.cut++
  if (over || full) {
    channel.destroy()
    return false
  }
  if (waits) {
    counters.active++
    channel.socket.once('close', () => counters.active--)
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
