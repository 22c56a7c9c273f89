// A service that can be told to be ill. Started by start.ts, which talks to it by messages.
import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { BackendReport, Illness } from './backends.ts'

const WORK_MS = 5
const SLOW_MS = 2000
const FLAP_MS = 500

let illness: Illness = 'well'
let since = performance.now()
const asked = { directly: 0, outrigger: 0 }

const server = http.createServer((request, response) => {
  if (request.url !== '/health')
    asked[request.headers.via?.includes('outrigger') === true ? 'outrigger' : 'directly']++
  const bad = illness === 'failing' || (illness === 'flapping' && inBadStretch())
  response.statusCode = bad ? 503 : 200
  const answer = (): void => void response.end(bad ? 'ill\n' : 'well\n')
  if (bad) answer()
  else void pause(illness === 'slow' ? SLOW_MS : WORK_MS).then(answer)
})

/** Every other half second, beginning with a bad one. */
function inBadStretch(): boolean {
  return Math.floor((performance.now() - since) / FLAP_MS) % 2 === 0
}

const report = (message: BackendReport): void => void process.send?.(message)
process.on('message', (message: Illness | 'count') => {
  if (message === 'count') {
    report({ asked: { ...asked } })
    asked.directly = 0
    asked.outrigger = 0
    return
  }
  illness = message
  since = performance.now()
})
process.on('disconnect', () => process.exit(0))
// Longer than anybody keeps an idle connection here.
server.keepAliveTimeout = 75_000
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  const address = server.address()
  report({ port: typeof address === 'object' && address !== null ? address.port : 0 })
})
