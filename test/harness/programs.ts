import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import type { Program } from './needs.ts'
import { programPath } from './needs.ts'

/** An outside program that runs for a test, in a folder of its own. */
export interface RunningProgram {
  readonly port: number
  /** Its configuration and files; removed by `stop`. */
  readonly folder: string
  readonly pid: number
  /** What it wrote to stdout and stderr so far. */
  output(): string
  /** Kills it, waits for its end and removes its folder. */
  stop(): Promise<void>
}

const READY_MS = 10_000
const STOP_MS = 3000
const ATTEMPTS = 3

/** Programs that run: none outlives this process, even where a test forgets to stop one. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Starts nginx with one worker as an upstream.
 * @param server what stands in its `server { }` block beside `listen`; `$folder` is the program's folder
 */
export async function startNginx(server = "location / { return 200 'ok'; }"): Promise<RunningProgram> {
  return start('nginx', (folder, port) => {
    const file = path.join(folder, 'nginx.conf')
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      name => `${name}_temp_path ${path.join(folder, name)};`,
    )
    writeFileSync(
      file,
      `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
master_process off;
worker_processes 1;
pid ${path.join(folder, 'nginx.pid')};
error_log stderr warn;
events { worker_connections 2048; }
http {
  access_log off;
  ${paths.join('\n  ')}
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:${port} backlog=1024;
    ${server.replaceAll('$folder', folder)}
  }
}
`,
    )
    return ['-p', folder, '-c', file, '-e', 'stderr']
  })
}

/** Starts a Redis that keeps nothing on disk. */
export async function startRedis(...options: string[]): Promise<RunningProgram> {
  return start('redis-server', (folder, port) => [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
    ...options,
  ])
}

/**
 * Starts HAProxy.
 * @param sections what stands behind its `global` and `defaults`; `$port` is the port it is waited for on
 */
export async function startHaproxy(sections: string): Promise<RunningProgram> {
  return start('haproxy', (folder, port) => {
    const file = path.join(folder, 'haproxy.cfg')
    const times = ['connect', 'client', 'server'].map(name => `  timeout ${name} 30s`)
    const own = sections.replaceAll('$port', String(port))
    writeFileSync(file, `global\n  nbthread 1\ndefaults\n  mode http\n${times.join('\n')}\n${own}\n`)
    return ['-db', '-f', file]
  })
}

/** Starts a program on a free port; once more on another where it ended before it listened. */
async function start(
  program: Program,
  configure: (folder: string, port: number) => string[],
): Promise<RunningProgram> {
  const file = programPath(program)
  if (file === null) throw new Error(`${program} is not installed; the test wants needs('${program}')`)
  for (let attempt = 1; ; attempt++) {
    const folder = mkdtempSync(path.join(os.tmpdir(), `outrigger-${program}-`))
    const port = await freePort()
    const child = spawn(file, configure(folder, port), { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    let output = ''
    const keep = (text: string): void => {
      output = (output + text).slice(-65_536)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', error => keep(error.message))
    const stop = async (): Promise<void> => {
      await end(child)
      running.delete(child)
      rmSync(folder, { recursive: true, force: true })
    }
    if (await listens(child, port)) return { port, folder, pid: child.pid ?? -1, output: () => output, stop }
    await stop()
    if (attempt === ATTEMPTS) throw new Error(`${program} did not start:\n${output}`)
  }
}

async function listens(child: ChildProcess, port: number): Promise<boolean> {
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline && !isOver(child)) {
    if (await connects(port)) return true
    await pause(20)
  }
  return false
}

async function connects(port: number): Promise<boolean> {
  const socket = net.connect({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (isOver(child)) return
  const over = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await over
  clearTimeout(timer)
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
}
