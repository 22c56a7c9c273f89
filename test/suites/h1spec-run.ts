// node h1spec-run.ts FOLDER PORT: runs h1spec's http_test.ts, written for Deno, under Node against 127.0.0.1:PORT.
// A process of its own, because the suite ends its process.
import net from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder = '', port = ''] = process.argv.slice(2)

/** The part of a Deno connection that the suite uses, over a socket. */
class Connection {
  readonly #socket: net.Socket
  #pending: Buffer = Buffer.alloc(0)
  #ended = false
  #closed = false
  #wake: () => void = () => {}

  constructor(socket: net.Socket) {
    this.#socket = socket
    socket.on('data', (part: Buffer) => {
      this.#pending = Buffer.concat([this.#pending, part])
      this.#wake()
    })
    for (const event of ['end', 'close', 'error'] as const)
      socket.on(event, () => {
        this.#ended = true
        this.#wake()
      })
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise(resolve => this.#socket.write(bytes, () => resolve(bytes.length)))
  }

  /** Fills `buffer` with what is there, at least one byte; null at the end. Rejects after close(), as Deno does. */
  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#pending.length === 0 && !this.#ended)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    if (this.#closed) throw new Error('the connection was closed here')
    if (this.#pending.length === 0) return null
    const count = this.#pending.copy(buffer)
    this.#pending = this.#pending.subarray(count)
    return count
  }

  close(): void {
    this.#closed = true
    this.#socket.destroy()
  }
}

const deno = {
  args: ['127.0.0.1', port],
  exit: (code?: number): never => process.exit(code),
  connect: (to: { hostname: string; port: number }): Promise<Connection> =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ host: to.hostname, port: to.port, allowHalfOpen: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Connection(socket)))
    }),
}
Object.assign(globalThis, { Deno: deno })
await import(pathToFileURL(path.join(folder, 'http_test.ts')).href)
