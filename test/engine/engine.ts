import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { needs, programPath } from '../harness/needs.ts'

/** How a command of the engine ended. */
export interface CommandEnd {
  readonly code: number
  readonly stdout: string
  /** Both streams, for messages. */
  readonly text: string
}

/** The checkout. */
export const ROOT = path.resolve(import.meta.dirname, '..', '..')
const READY_MS = 30_000

/** The image that the tests build from the real Dockerfile; docker-compose.yml names it so. */
export const IMAGE = 'outrigger:local'

/**
 * Starts an engine for a suite, with the suite's options. Where this machine cannot run one the suite is skipped, and
 * that is said on stderr; with OUTRIGGER_REQUIRE=all it is a failure.
 * @returns the engine; null where the options say skip
 */
export async function engineOrSkip(): Promise<[Engine | null, { skip: string | false }]> {
  const absent = needs('dockerd', 'docker', 'docker-compose', 'debootstrap', 'unshare')
  if (absent.skip !== false) return [null, absent]
  try {
    if (process.platform !== 'linux' || process.getuid?.() !== 0)
      throw new Error('an engine of its own needs root on Linux')
    return [await Engine.start(), { skip: false }]
  } catch (error) {
    if (process.env['OUTRIGGER_REQUIRE'] === 'all') throw error
    const reason = error instanceof Error ? error.message : String(error)
    console.error(`SKIPPED, nothing about containers was tried: ${reason}`)
    return [null, { skip: reason }]
  }
}

/**
 * A Docker engine of the tests' own, in a temporary folder: no image of this machine is used or changed, and the
 * machine's packet filter is left alone. It runs in a process namespace of its own, so that the end of this process,
 * however it comes, is the end of the engine and of every container.
 */
export class Engine {
  readonly #folder: string
  readonly #child: ChildProcess
  #output = ''

  private constructor() {
    this.#folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-engine-'))
    mkdirSync(path.join(this.#folder, 'client'))
    const at = (name: string): string => path.join(this.#folder, name)
    const flags = [
      ...['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid'), '-H', this.#host],
      // Networks only where Compose makes one; published ports go through the userland proxy.
      ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'],
      ...['--userland-proxy=true', '--log-level=warn', '--cgroup-parent', `/${path.basename(this.#folder)}`],
    ]
    this.#child = spawn(
      programPath('unshare') ?? 'unshare',
      [
        '--mount',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
        programPath('dockerd') ?? 'dockerd',
        ...flags,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const keep = (text: string): void => {
      this.#output = (this.#output + text).slice(-16_384)
    }
    this.#child.stdout?.setEncoding('utf8').on('data', keep)
    this.#child.stderr?.setEncoding('utf8').on('data', keep)
    this.#child.on('error', error => keep(error.message))
  }

  /**
   * Starts one and waits until it answers.
   * @throws Error with what it logged
   */
  static async start(): Promise<Engine> {
    const engine = new Engine()
    const deadline = performance.now() + READY_MS
    while ((await engine.tries('docker', ['info'])).code !== 0) {
      if (engine.#child.exitCode !== null || performance.now() > deadline) {
        await engine.stop()
        throw new Error(`the engine did not start:\n${engine.#output}`)
      }
      await pause(100)
    }
    return engine
  }

  /** Builds the stand-ins of the images that the files name, and the real Dockerfile on one of them. */
  async build(): Promise<void> {
    const standIns = path.join(ROOT, 'deploy', 'stand-ins', 'build')
    await this.run(standIns, ['node'])
    await Promise.all([
      this.docker('build', '--network', 'host', '-t', IMAGE, ROOT),
      this.run(standIns, ['redis', 'prometheus']),
    ])
  }

  /** Runs `docker` and answers its stdout. @throws Error where it fails */
  async docker(...args: string[]): Promise<string> {
    return (await this.run('docker', args)).stdout.trim()
  }

  /** What `docker inspect` says of a container or image, by a Go template. */
  async inspect(name: string, template: string): Promise<string> {
    return this.docker('inspect', '-f', template, name)
  }

  /** Runs a program against this engine. @throws Error where its exit code is not 0 */
  async run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandEnd> {
    const end = await this.tries(program, args, env)
    if (end.code !== 0)
      throw new Error(`${path.basename(program)} ${args.join(' ')}: exit code ${end.code}\n${end.text}`)
    return end
  }

  /** The same, for what may fail. */
  async tries(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandEnd> {
    const own = {
      DOCKER_HOST: this.#host,
      DOCKER_CONFIG: path.join(this.#folder, 'client'),
      DOCKER_BUILDKIT: '0',
    }
    return new Promise(resolve => {
      const options = { env: { ...process.env, ...own, ...env }, maxBuffer: 2 ** 26 }
      execFile(program, [...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, stdout, text: (stdout + stderr).slice(-8000) })
      })
    })
  }

  /** Kills the main process of a container, as the kernel does when memory is out: the engine did not ask for it. */
  async crash(container: string): Promise<void> {
    const pid = await this.inspect(container, '{{.State.Pid}}')
    // The engine's own process id is its child's in our namespace, and the container's is one of the engine's.
    const children = readFileSync(`/proc/${this.#child.pid}/task/${this.#child.pid}/children`, 'utf8')
    const [engine = ''] = children.split(' ')
    await this.run('nsenter', ['--target', engine, '--pid', '--mount', 'kill', '-KILL', pid])
  }

  /** Ends the engine with all that it runs, and removes its folder. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, 'close')
      this.#child.kill('SIGKILL')
      await closed
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
    // The kernel's folders for groups of processes that are gone: only the folders can be removed, the deepest first.
    const groups = ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${path.basename(this.#folder)}*`]
    await this.tries('find', [...groups, '-delete'])
  }

  get #host(): string {
    return `unix://${path.join(this.#folder, 'socket')}`
  }
}
