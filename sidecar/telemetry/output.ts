import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { BufferedWriter } from './buffered-writer.ts'
import type { OutputCalls } from './buffered-writer.ts'

/** Writes through the thread pool: for files, where a write does not stall. */
export const fileCalls: OutputCalls = {
  write: (fd, bytes, offset, length, done) => write(fd, bytes, offset, length, null, done),
  writeSync: (fd, bytes, offset, length) => writeSync(fd, bytes, offset, length),
}

/** Writes through the event loop: for a socket, which cannot be opened a second time. */
function socketCalls(fd: number): OutputCalls {
  const socket = new Socket({ fd, readable: false, writable: true })
  // The write's callback brings the same error.
  socket.on('error', () => {})
  socket.unref()
  return {
    write: (_, bytes, offset, length, done) => {
      socket.write(bytes.subarray(offset, offset + length), error => done(error ?? null, error ? 0 : length))
    },
    writeSync: (_, bytes, offset, length) => writeSync(fd, bytes, offset, length),
  }
}

/**
 * A writer to a standard stream on which no write ever blocks. A pipe or terminal that stalls would hold one of the
 * four threads that also resolve names, and `process.exit` waits for that thread. `/proc` gives the same pipe with
 * flags of its own, so that other processes that share the stream notice nothing. A socket (the stream of a service
 * manager, or of a parent that is Node) is written by the event loop. Anything else is used as it is.
 * @param fd 1 or 2
 * @param delay milliseconds that a line waits for others
 */
export function openWriter(fd: number, delay: number): BufferedWriter {
  try {
    const stat = fstatSync(fd)
    if (stat.isSocket()) return new BufferedWriter(fd, delay, socketCalls(fd))
    if (stat.isFIFO() || stat.isCharacterDevice()) {
      const own = openAgain(fd)
      if (own !== null) return new BufferedWriter(own, delay, fileCalls)
      // Without /proc the flag is set on the stream that others may share, as Node does for its own streams.
      if (stat.isFIFO()) return new BufferedWriter(fd, delay, socketCalls(fd))
    }
  } catch {
    // The stream is closed: writes will fail and be counted.
  }
  return new BufferedWriter(fd, delay, fileCalls)
}

function openAgain(fd: number): number | null {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return null
  }
}
