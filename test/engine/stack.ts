import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../harness/free-port.ts'
import type { Engine } from './engine.ts'
import { ROOT } from './engine.ts'

/** A Compose project in a copy of its files, so that a test may edit them, on ports that were free. */
export class Stack {
  readonly folder: string
  readonly port: number
  readonly prometheusPort: number
  readonly #engine: Engine
  readonly #file: string

  private constructor(engine: Engine, file: string, ports: readonly [number, number]) {
    this.#engine = engine
    this.#file = file
    this.folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-stack-'))
    for (const name of ['docker-compose.yml', 'package.json', 'examples'])
      cpSync(path.join(ROOT, name), path.join(this.folder, name), { recursive: true })
    this.port = ports[0]
    this.prometheusPort = ports[1]
  }

  /** Brings up a Compose file of the tree, with images that are there already. */
  static async up(engine: Engine, file = 'docker-compose.yml'): Promise<Stack> {
    const stack = new Stack(engine, file, [await freePort(), await freePort()])
    await stack.compose('up', '-d', '--no-build')
    return stack
  }

  /** Runs `docker-compose` in the project. @returns both streams @throws Error where it fails */
  async compose(...args: string[]): Promise<string> {
    const env = {
      EDGE_PORT: String(this.port),
      SHOP_PORT: String(this.port),
      PROMETHEUS_PORT: String(this.prometheusPort),
    }
    const all = ['-p', 'stack', '-f', path.join(this.folder, this.#file), ...args]
    return (await this.#engine.run('docker-compose', all, env)).text
  }

  /** The container of a service, by the name that both generations of Compose give it first. */
  container(service: string): string {
    return `stack_${service}_1`
  }

  /** Replaces a text in a file of the project as an editor does: a new file, renamed over the old one. */
  edit(file: string, from: string, to: string): void {
    const place = path.join(this.folder, file)
    const text = readFileSync(place, 'utf8')
    if (!text.includes(from)) throw new Error(`${file} does not hold ${from}`)
    writeFileSync(`${place}.new`, text.replace(from, to))
    renameSync(`${place}.new`, place)
  }

  /** Asks the edge, or what else is published on the port. Status 0 where no answer came. */
  async ask(target: string, port = this.port): Promise<{ status: number; body: string }> {
    try {
      const signal = AbortSignal.timeout(5000)
      const answer = await fetch(`http://127.0.0.1:${port}${target}`, { signal, keepalive: false })
      return { status: answer.status, body: await answer.text() }
    } catch {
      return { status: 0, body: '' }
    }
  }

  /** Asks until the answer is as wanted, and says how many milliseconds that took. */
  async asked(
    target: string,
    wanted: (answer: { status: number; body: string }) => boolean,
    timeout = 30_000,
  ): Promise<number> {
    return until(async () => {
      const answer = await this.ask(target)
      return wanted(answer) ? null : `${target}: ${answer.status} ${answer.body.slice(0, 200)}`
    }, timeout)
  }

  /** Removes the containers, the network and the folder. */
  async down(): Promise<void> {
    await this.compose('down', '-t', '1', '--volumes')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/**
 * Tries until the check answers null.
 * @returns after how many milliseconds  @throws Error with the check's last word
 */
export async function until(check: () => Promise<string | null>, timeout = 30_000): Promise<number> {
  const start = performance.now()
  for (;;) {
    const wrong = await check()
    const passed = performance.now() - start
    if (wrong === null) return passed
    if (passed > timeout) throw new Error(`after ${timeout} ms: ${wrong}`)
    await pause(100)
  }
}
