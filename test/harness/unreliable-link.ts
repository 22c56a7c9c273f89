import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'

/** How a link behaves: passes bytes, swallows them, passes them late, or lets nobody in and drops who is. */
export type LinkMode = 'open' | 'silent' | 'slow' | 'refusing'

/** A TCP relay to a port of this machine that can be made as bad as networks are. */
export class UnreliableLink {
  /** The port behind it, for connections from now on. */
  target: number
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  #mode: LinkMode = 'open'
  #port = 0
  /** How late bytes come where the link is slow, in milliseconds. */
  delay = 100

  private constructor(target: number) {
    this.target = target
    this.#server = net.createServer(socket => this.#relay(socket))
  }

  static async to(target: number): Promise<UnreliableLink> {
    const link = new UnreliableLink(target)
    await link.#listen()
    return link
  }

  get port(): number {
    return this.#port
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size / 2
  }

  async become(mode: LinkMode): Promise<void> {
    const before = this.#mode
    this.#mode = mode
    if (mode === 'refusing') await this.#shut()
    else if (before === 'refusing') await this.#listen()
  }

  async close(): Promise<void> {
    if (this.#mode !== 'refusing') await this.#shut()
  }

  #relay(client: net.Socket): void {
    const server = net.connect({ host: '127.0.0.1', port: this.target })
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', bytes => {
        if (this.#mode === 'open') to.write(bytes)
        else if (this.#mode === 'slow') setTimeout(() => to.write(bytes), this.delay)
      })
      from.on('error', () => {})
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port // it listens on TCP
  }

  async #shut(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}
