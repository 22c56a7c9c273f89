#!/usr/bin/env node
// The launcher. Plain JavaScript that runs under any Node: it finds the pinned Node (an optional dependency whose
// binary npm installed with its integrity checked) and runs Outrigger under it with the V8 flags a module cannot set
// once it runs. When this process already is a new enough Node and no pinned one is installed, it is used as it is.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { pinnedNode, v8Flags } from './pinned-node.js'

const here = path.dirname(fileURLToPath(import.meta.url))
const compiled = path.join(here, '..', 'dist', 'sidecar', 'main.js')
const source = path.join(here, '..', 'sidecar', 'main.ts')
const entry = existsSync(source) ? source : compiled

const node = pinnedNode()
if (node === null) {
  console.error(
    `outrigger needs Node 26 or newer; this is ${process.version}. Run "npm ci" in the checkout, or install Node 26.`,
  )
  process.exit(2)
}

const child = spawn(node, [...v8Flags(), entry, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { UV_THREADPOOL_SIZE: '8', ...process.env },
})
// The child decides what a signal means (drain, force); the launcher only passes it on and then reports its end.
// A terminal sends Ctrl-C to the whole group, so SIGINT is swallowed here and not sent a second time.
process.on('SIGINT', () => {
  if (!process.stdin.isTTY) child.kill('SIGINT')
})
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal))
child.on('error', error => {
  console.error(`outrigger: cannot start ${node}: ${error.message}`)
  process.exit(2)
})
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
