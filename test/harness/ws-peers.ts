import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'ws'

const TIMEOUT = 5000

/** A service on `ws` that echoes every message, and keeps its sockets. */
export class WsServer {
  readonly server: WebSocketServer
  readonly sockets: WebSocket[] = []
  /** Payloads of the pongs that came although it never pings. */
  readonly pongs: string[] = []
  pings = 0

  private constructor(options: ServerOptions) {
    this.server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true, ...options })
    this.server.on('connection', socket => {
      this.sockets.push(socket)
      socket.on('message', (data, binary) => socket.send(data, { binary }))
      socket.on('pong', data => this.pongs.push(data.toString()))
      socket.on('ping', () => this.pings++)
      socket.on('error', () => {})
    })
  }

  static async listen(options: ServerOptions = {}): Promise<WsServer> {
    const one = new WsServer(options)
    await once(one.server, 'listening')
    return one
  }

  get port(): number {
    // It listens on TCP, so its address is none of a Unix socket.
    return (this.server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    await new Promise(resolve => this.server.close(resolve))
  }
}

/** How a WebSocket ended, as its client saw it. */
export interface Closed {
  readonly code: number
  readonly reason: string
}

/** A client on `ws`, with what came to it. */
export class WsClient {
  readonly socket: WebSocket
  readonly closed: Promise<Closed>
  readonly pongs: string[] = []
  pings = 0
  /** Whether it is over. */
  over = false
  readonly #messages: Buffer[] = []
  #wake: (() => void) | null = null

  private constructor(url: string, options: ClientOptions) {
    this.socket = new WebSocket(url, options)
    this.socket.on('message', data => {
      // The default `binaryType` brings whole messages as buffers.
      this.#messages.push(data as Buffer)
      this.#wake?.()
    })
    this.socket.on('ping', () => this.pings++)
    this.socket.on('pong', data => this.pongs.push(data.toString()))
    this.closed = new Promise(resolve =>
      this.socket.on('close', (code, reason) => {
        this.over = true
        resolve({ code, reason: reason.toString() })
      }),
    )
  }

  /** Opens a WebSocket. @throws what `ws` says where it is refused */
  static async open(port: number, path = '/', options: ClientOptions = {}): Promise<WsClient> {
    const client = new WsClient(`ws://127.0.0.1:${port}${path}`, options)
    await once(client.socket, 'open', { signal: AbortSignal.timeout(TIMEOUT) })
    // Where a test ends it badly that is what the test is about.
    client.socket.on('error', () => {})
    return client
  }

  /** The next message. */
  async next(): Promise<Buffer> {
    const end = AbortSignal.timeout(TIMEOUT)
    while (this.#messages.length === 0) {
      end.throwIfAborted()
      await new Promise<void>(resolve => {
        this.#wake = resolve
        end.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    return this.#messages.shift() as Buffer // there is one
  }

  /** Sends a message and waits for its echo. */
  async echo(message: string | Buffer): Promise<Buffer> {
    this.socket.send(message)
    return this.next()
  }
}
