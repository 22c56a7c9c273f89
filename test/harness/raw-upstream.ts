import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { DEFAULT_TIMEOUT, RawConnection, toBuffer } from './raw-connection.ts'
import type { Pause, Step } from './raw-connection.ts'
import type { WireRequest } from './strict-http.ts'
import { readRequests } from './strict-http.ts'

/** A TCP server on a free loopback port that does nothing by itself: a test takes its connections and drives them. */
export class RawUpstream {
  readonly connections: RawConnection[] = []
  readonly #server: net.Server
  #accepted = 0
  #port = 0
  readonly #waiting: (() => void)[] = []

  protected constructor() {
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      const connection = new RawConnection(socket)
      this.connections.push(connection)
      this.onConnection(connection)
      this.#waiting.shift()?.()
    })
  }

  /** Listens on a free port. */
  static async listen(): Promise<RawUpstream> {
    const upstream = new RawUpstream()
    await upstream.open()
    return upstream
  }

  /** An upstream that plays one script a connection, in order; the last for all that come after. */
  static async playing(scripts: readonly (readonly Step[])[], pause?: Pause): Promise<RawUpstream> {
    const upstream = new ScriptedUpstream(scripts, pause)
    await upstream.open()
    return upstream
  }

  /** The port it listens on, or listened on before `close`. */
  get port(): number {
    return this.#port
  }

  /** The next connection that no `accept` has answered yet. */
  async accept(timeout = DEFAULT_TIMEOUT): Promise<RawConnection> {
    const index = this.#accepted++
    const connection = this.connections[index]
    if (connection !== undefined) return connection
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(arrived), 1)
        this.#accepted--
        reject(new Error(`waited ${timeout} ms for connection ${index + 1}`))
      }, timeout)
      const arrived = (): void => {
        clearTimeout(timer)
        const arrival = this.connections[index]
        if (arrival === undefined) reject(new Error(`connection ${index + 1} came out of order`))
        else resolve(arrival)
      }
      this.#waiting.push(arrived)
    })
  }

  /** Stops listening and closes every connection. */
  async close(): Promise<void> {
    for (const connection of this.connections) connection.destroy()
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }

  /** Called for each connection, before any byte of it is read. */
  protected onConnection(_connection: RawConnection): void {
    // A plain upstream waits for the test.
  }

  protected async open(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    // A server that listens on TCP has an address of this form.
    this.#port = (this.#server.address() as AddressInfo).port
  }
}

class ScriptedUpstream extends RawUpstream {
  readonly #scripts: readonly (readonly Step[])[]
  readonly #pause: Pause | undefined
  #next = 0

  constructor(scripts: readonly (readonly Step[])[], pause: Pause | undefined) {
    super()
    this.#scripts = scripts
    this.#pause = pause
  }

  protected override onConnection(connection: RawConnection): void {
    const script = this.#scripts[this.#next] ?? this.#scripts.at(-1) ?? []
    this.#next++
    // A script that its peer cut short is no failure of the upstream: the test asserts what the client got.
    connection.play(script, this.#pause).catch(() => connection.destroy())
  }
}

/** The answer of a sink that was told no other. */
export const PLAIN_REPLY = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/**
 * An upstream that records what each connection brings, and judges it with a strict reading of its own: what it counts
 * is what a strict server would have seen. It answers each well-formed request; to anything else it says nothing.
 */
export class RecordingSink extends RawUpstream {
  readonly #replies: Buffer[] = []
  #plain = toBuffer(PLAIN_REPLY)

  /** Listens on a free port. */
  static override async listen(): Promise<RecordingSink> {
    const sink = new RecordingSink()
    await sink.open()
    return sink
  }

  /** Sets the answer to the next request that has none yet; in the order of calls. */
  reply(bytes: string | Uint8Array): this {
    this.#replies.push(toBuffer(bytes))
    return this
  }

  /** Sets the answer to every request that `reply` gave none. */
  replyAlways(bytes: string | Uint8Array): this {
    this.#plain = toBuffer(bytes)
    return this
  }

  /** The bytes of each connection, as received. */
  get bytes(): Buffer[] {
    return this.connections.map(connection => Buffer.from(connection.received))
  }

  /**
   * Every complete request of every connection, by the sink's own strict reading.
   * @throws MalformedMessage where a connection brought a byte that belongs to no well-formed request
   */
  requestsSeen(): WireRequest[] {
    return this.connections.flatMap(connection => readRequests(connection.received).requests)
  }

  /** Bytes behind the last complete request of each connection: requests that were cut off. */
  unfinished(): Buffer[] {
    return this.connections
      .map(connection => readRequests(connection.received).rest)
      .filter(rest => rest.length > 0)
  }

  protected override onConnection(connection: RawConnection): void {
    let from = 0
    connection.socket.on('data', () => {
      let requests: WireRequest[]
      try {
        requests = readRequests(connection.received.subarray(from)).requests
      } catch {
        return // `requestsSeen` says what is wrong
      }
      for (const request of requests) {
        from += request.length
        connection.send(this.#replies.shift() ?? this.#plain)
      }
    })
    connection.socket.on('end', () => connection.half())
  }
}
