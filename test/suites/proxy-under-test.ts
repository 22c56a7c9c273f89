import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import readline from 'node:readline'
import { pinnedNode, v8Flags } from '../../bin/pinned-node.js'
import { EchoOrigin } from './echo-origin.ts'

const root = path.join(import.meta.dirname, '..', '..')
const READY_WITHIN_MS = 10_000

/** Outrigger as an edge that passes everything to an echo origin. */
export class ProxyUnderTest {
  readonly port: number
  readonly origin: EchoOrigin
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(port: number, origin: EchoOrigin, child: ChildProcess, folder: string) {
    this.port = port
    this.origin = origin
    this.#child = child
    this.#folder = folder
  }

  static async start(): Promise<ProxyUnderTest> {
    const origin = new EchoOrigin()
    const originPort = await origin.listen()
    const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-suites-'))
    const file = path.join(folder, 'outrigger.yaml')
    writeFileSync(
      file,
      `version: 1
service: suites
listeners:
  - name: suites
    role: edge
    address: 127.0.0.1:0
    upstream: origin
upstreams:
  origin: { url: "http://127.0.0.1:${originPort}" }
admin: { address: 127.0.0.1:0 }
telemetry: { accessLog: { write: off } }
`,
    )
    const args = [...v8Flags(), path.join(root, 'sidecar', 'main.ts'), 'run', '-c', file]
    const child = spawn(pinnedNode() ?? process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    process.once('exit', () => child.kill('SIGKILL'))
    return new ProxyUnderTest(await readyPort(child), origin, child, folder)
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await Promise.all([ended, this.origin.close()])
    rmSync(this.#folder, { recursive: true })
  }
}

/** The port that the ready line of the process log names for the one listener. */
function readyPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const said: string[] = []
    const fail = (): void => reject(new Error(`Outrigger did not become ready:\n${said.join('\n')}`))
    const timer = setTimeout(fail, READY_WITHIN_MS)
    child.once('exit', fail)
    if (child.stderr === null) return
    readline.createInterface({ input: child.stderr }).on('line', line => {
      said.push(line)
      const port = /"msg":"ready"/.test(line) && /"suites":"127\.0\.0\.1:(\d+)"/.exec(line)?.[1]
      if (!port) return
      clearTimeout(timer)
      resolve(Number(port))
    })
  })
}
