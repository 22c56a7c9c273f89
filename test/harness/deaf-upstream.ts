import { once } from 'node:events'
import net from 'node:net'
import { Worker } from 'node:worker_threads'

/** Listens with the shortest queue there is, tells its port, and never accepts: its thread sleeps. */
const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    setImmediate(() => {
      Atomics.wait(new Int32Array(workerData), 0, 0)
      process.exit()
    })
  })
`

/** How many connections the kernel holds for a queue of one, with some to spare. */
const QUEUE = 4

/** A port whose queue of connections is full, so that a connect to it neither succeeds nor fails (on Linux). */
export class DeafUpstream {
  readonly port: number
  readonly #worker: Worker
  readonly #flag: Int32Array
  readonly #fillers: net.Socket[]

  private constructor(port: number, worker: Worker, flag: Int32Array, fillers: net.Socket[]) {
    this.port = port
    this.#worker = worker
    this.#flag = flag
    this.#fillers = fillers
  }

  static async listen(): Promise<DeafUpstream> {
    const memory = new SharedArrayBuffer(4)
    const worker = new Worker(PROGRAM, { eval: true, workerData: memory })
    const [port] = (await once(worker, 'message')) as [number] // the program above posts this and nothing else
    const fillers: net.Socket[] = []
    for (let i = 0; i < QUEUE; i++) {
      const socket = net.connect({ port, host: '127.0.0.1' })
      socket.on('error', () => {})
      fillers.push(socket)
      // The last ones are never connected; the first need a moment each.
      await Promise.race([once(socket, 'connect'), new Promise(resolve => setTimeout(resolve, 30))])
    }
    return new DeafUpstream(port, worker, new Int32Array(memory), fillers)
  }

  async close(): Promise<void> {
    for (const socket of this.#fillers) socket.destroy()
    Atomics.store(this.#flag, 0, 1)
    Atomics.notify(this.#flag, 0)
    await this.#worker.terminate()
  }
}
