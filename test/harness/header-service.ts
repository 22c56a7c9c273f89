import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { InProcess } from './in-process.ts'
import type { RawClient } from './raw-client.ts'

/** What the clients of these tests ask. */
export const GET = 'GET /who HTTP/1.1\r\nhost: a.example\r\n\r\n'

/** An Outrigger before one service, which is told whom connections are for. */
export function yaml(port: number, upstream: string, listener = ''): string {
  return `version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", ${listener}upstream: app }
upstreams:
  app: { endpoints: ["127.0.0.1:${port}"], ${upstream} }
`
}

/** Starts one from this text, and stops it when it was used. */
export async function serving(text: string, use: (proxy: InProcess) => Promise<void>): Promise<void> {
  const proxy = await InProcess.start(text)
  try {
    await use(proxy)
  } finally {
    await proxy.stop()
  }
}

/** What the service says of a request on this connection. */
export async function who(client: RawClient, before = ''): Promise<string> {
  const { status, body } = await client.ask(before + GET)
  assert.equal(status, 200)
  return body.toString('latin1')
}

/** A service that writes down what each of its connections begins with, and answers every request. */
export class HeaderService {
  readonly seen: string[] = []
  readonly open = new Set<net.Socket>()
  readonly #server = net.createServer(socket => {
    const index = this.seen.push('') - 1
    this.open.add(socket)
    socket.on('data', (bytes: Buffer) => {
      this.seen[index] += bytes.toString('latin1')
      if (bytes.includes('HTTP/1.1')) socket.write(REPLY)
    })
    socket.on('error', () => {})
    socket.on('close', () => this.open.delete(socket))
  })

  static async listen(): Promise<HeaderService> {
    const made = new HeaderService()
    made.#server.listen(0, '127.0.0.1')
    await once(made.#server, 'listening')
    return made
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port // it listens on TCP
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const REPLY = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
