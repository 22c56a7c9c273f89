#!/usr/bin/env node
// The launcher. Plain JavaScript that runs under any Node: it finds the pinned Node (an optional dependency whose
// binary npm installed with its integrity checked), else takes this one where it is new enough, and runs Outrigger
// under it with the V8 flags that a module cannot set once it runs. Where it can, it becomes that process: the same
// process id gets the signals, and a container holds one Node. Elsewhere (Windows, Node 20) it stays beside a child.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
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

const args = [...v8Flags(), entry, ...process.argv.slice(2)]
const env = { UV_THREADPOOL_SIZE: '8', ...process.env }

if (process.argv[2] === 'healthcheck' && node === process.execPath) {
  // Asked every few seconds for the life of a container, and no flag matters to it: without a second start of Node.
  await import(pathToFileURL(entry).href)
} else if (process.execve !== undefined && process.platform !== 'win32') {
  process.execve(node, [node, ...args], env)
} else {
  const child = spawn(node, args, { stdio: 'inherit', env })
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
}
