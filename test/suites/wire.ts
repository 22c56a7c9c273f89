import net from 'node:net'
import { MalformedMessage, readResponse, type WireResponse } from '../harness/strict-http.ts'

/** What came back for the bytes of one case. */
export interface Outcome {
  /** Final responses in order. */
  readonly responses: readonly WireResponse[]
  /** Whether the other side closed the connection. */
  readonly closed: boolean
  /** Bytes that are no response: always wrong. */
  readonly malformed: string | null
}

export interface WireOptions {
  /** Methods of the requests in the bytes, in order: a response to HEAD has no body. */
  readonly methods: readonly string[]
  /** Ends as soon as so many responses are there; else it waits for the other side to close. */
  readonly enough?: number
}

const QUIET_MS = 300
const CLOSE_WITHIN_MS = 2000

/**
 * Sends the bytes on a connection of their own and reads what comes back. After 300 ms our side is closed, as a client's
 * would be that has nothing more to say, and the other side has two seconds to close as well.
 */
export function sendBytes(port: number, bytes: Uint8Array, options: WireOptions): Promise<Outcome> {
  return new Promise(resolve => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let received = Buffer.alloc(0)
    let closed = false
    const finish = (): void => {
      clearTimeout(quiet)
      clearTimeout(late)
      socket.destroy()
      resolve({ ...readAll(received, options.methods, closed), closed })
    }
    const quiet = setTimeout(() => socket.end(), QUIET_MS)
    const late = setTimeout(finish, QUIET_MS + CLOSE_WITHIN_MS)
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part])
      if (options.enough === undefined) return
      if (readAll(received, options.methods, false).responses.length >= options.enough) finish()
    })
    const end = (): void => {
      closed = true
      finish()
    }
    socket.on('end', end)
    socket.on('error', end)
    socket.on('close', end)
    socket.write(bytes)
  })
}

function readAll(
  bytes: Buffer,
  methods: readonly string[],
  ended: boolean,
): Pick<Outcome, 'responses' | 'malformed'> {
  const responses: WireResponse[] = []
  let rest = bytes
  try {
    while (rest.length > 0) {
      const response = readResponse(rest, methods[responses.length] ?? 'GET', ended)
      if (response === null) break
      responses.push(response)
      rest = rest.subarray(response.length)
    }
    return { responses, malformed: null }
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    return { responses, malformed: error.message }
  }
}
