// node idle-connections.ts PORT COUNT: opens COUNT connections, makes one request on each, says `open` on standard
// error when every response is there, and then holds them idle until it is ended.
import net from 'node:net'

const [port, count] = process.argv.slice(2).map(Number)
const AT_ONCE = 100

async function open(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = net.connect(port ?? 0, '127.0.0.1')
    socket.once('connect', () => socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n'))
    socket.once('data', () => resolve())
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
}

for (let opened = 0; opened < (count ?? 0); opened += AT_ONCE)
  await Promise.all(Array.from({ length: AT_ONCE }, open))
console.error('open')
setInterval(() => {}, 60_000)
