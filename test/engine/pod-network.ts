import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { promisify } from 'node:util'
import { v8Flags } from '../../bin/pinned-node.js'
import { programEntry } from '../harness/entry.ts'
import { needs, programPath } from '../harness/needs.ts'
import { until } from './stack.ts'

const run = promisify(execFile)

/** The address of the pod, and of who is outside, in networks of their own. */
export const POD = '10.77.0.2'
/** Who calls, and whom the pod calls. */
export const OUTSIDE = '10.77.0.1'
/** The pod, as who speaks IPv6 calls it. */
export const POD_IPV6 = 'fd77::2'

/** An app: says at which port it was asked for what; `/call` asks its own upstream. Two ports where two are given. */
const APP = `import http from 'node:http'
const [host, ...ports] = process.argv.slice(1)
for (const port of ports) http.createServer(async (request, response) => {
  const { url, headers } = request
  if (url !== '/call') return response.end(JSON.stringify({ port: Number(port), url, consumer: headers['x-consumer-name'] }))
  const answer = await fetch(process.env.USERS_URL + '/users/7')
  response.writeHead(answer.status).end(await answer.text())
}).listen(Number(port), host)`

/** Whether this machine can make networks, as the options of a suite. With OUTRIGGER_REQUIRE=all it has to. */
export function networksOrSkip(): { skip: string | false } {
  const absent = needs('ip', 'iptables', 'setpriv', 'curl')
  if (absent.skip !== false || (process.platform === 'linux' && process.getuid?.() === 0)) return absent
  if (process.env['OUTRIGGER_REQUIRE'] === 'all') throw new Error('networks of their own need root on Linux')
  return { skip: 'networks of their own need root on Linux' }
}

/**
 * Two network namespaces and a cable between: in one run the containers of a pod, as plain processes, in the other who calls them. Both end
 * with it, and nothing of the machine's own network is touched.
 */
export class PodNetwork {
  readonly #names: readonly [string, string]
  readonly #children: ChildProcess[] = []
  #output = ''

  private constructor(name: string) {
    this.#names = [`${name}-pod`, `${name}-out`]
  }

  /** @param sysctls of the pod, by name */
  static async create(sysctls: readonly { name: string; value: string }[] = []): Promise<PodNetwork> {
    const network = new PodNetwork(`outrigger-${process.pid}-${Math.random().toString(36).slice(2, 8)}`)
    const [pod, outside] = network.#names
    try {
      for (const name of network.#names) await ip('netns', 'add', name)
      await ip('-n', pod, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside)
      for (const [name, address] of [
        [pod, POD],
        [outside, OUTSIDE],
      ] as const) {
        await ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'eth0')
        for (const device of ['lo', 'eth0']) await ip('-n', name, 'link', 'set', device, 'up')
      }
      // Without a look whether somebody else has them, which takes a second.
      await ip('-n', pod, 'address', 'add', `${POD_IPV6}/64`, 'dev', 'eth0', 'nodad')
      await ip('-n', outside, 'address', 'add', 'fd77::1/64', 'dev', 'eth0', 'nodad')
      for (const { name, value } of sysctls) {
        const file = `/proc/sys/${name.replaceAll('.', '/')}`
        await ip('netns', 'exec', pod, '/bin/sh', '-c', `echo ${value} > ${file}`)
      }
      return network
    } catch (error) {
      await network.stop()
      throw error
    }
  }

  /** Starts an app in the pod, or outside of it, and waits until it listens. */
  async app(
    host: string,
    ports: readonly number[],
    env: Readonly<Record<string, string>> = {},
    place = 0,
  ): Promise<void> {
    const args = ['--input-type=module', '-e', APP, '--', host, ...ports.map(String)]
    this.#start(place, [process.execPath, ...args], env)
    for (const port of ports) await until(async () => this.#listens(place, host, port), 10_000)
  }

  /** Runs a container that ends, as root with the capabilities of its own. @throws Error where it fails */
  async once(command: readonly string[], capabilities: readonly string[]): Promise<void> {
    const bound = ['-all', ...capabilities.map(name => `+${name.toLowerCase()}`)].join(',')
    const rights = ['--bounding-set', bound, '--inh-caps=-all', '--no-new-privs']
    await ip('netns', 'exec', this.#names[0], programPath('setpriv') ?? '', ...rights, ...command)
  }

  /** Starts Outrigger in the pod as its sidecar runs: nobody, with no capability. @param folder what it mounts */
  sidecar(folder: string): void {
    chmodSync(folder, 0o755) // as the kubelet makes it
    const rights = [
      '--reuid=65532',
      '--regid=65532',
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
      '--no-new-privs',
    ]
    const node = [process.execPath, ...v8Flags(), programEntry(), 'run', '-c', folder]
    this.#start(0, [programPath('setpriv') ?? '', ...rights, ...node], {})
  }

  /** Asks from outside. @returns status 0 where no connection came about */
  async ask(
    port: number,
    target: string,
    header?: string,
    host = POD,
  ): Promise<{ status: number; body: string }> {
    const args = [
      '-s',
      '-g',
      '-m',
      '5',
      '-w',
      '\n%{http_code}',
      ...(header === undefined ? [] : ['-H', header]),
    ]
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}${target}`
    const { stdout } = await this.#tries(1, [programPath('curl') ?? '', ...args, url])
    const lines = stdout.split('\n')
    return { status: Number(lines.pop()), body: lines.join('\n') }
  }

  /** What its processes wrote. */
  get output(): string {
    return this.#output
  }

  async stop(): Promise<void> {
    const left = this.#children.filter(child => child.exitCode === null && child.signalCode === null)
    for (const child of left) child.kill('SIGKILL')
    await Promise.all(left.map(child => once(child, 'close')))
    for (const name of this.#names) await ip('netns', 'delete', name).catch(() => {})
  }

  async #listens(place: number, host: string, port: number): Promise<string | null> {
    const address = host === '0.0.0.0' ? '127.0.0.1' : host
    const { stdout } = await this.#tries(place, [
      programPath('curl') ?? '',
      '-s',
      '-m',
      '2',
      '-w',
      '%{http_code}',
      `http://${address}:${port}/`,
    ])
    return stdout.endsWith('200') ? null : `nothing at port ${port}: ${this.#output}`
  }

  async #tries(place: number, command: readonly string[]): Promise<{ stdout: string }> {
    try {
      return await ip('netns', 'exec', this.#names[place] ?? '', ...command)
    } catch (error) {
      // What curl wrote before it failed.
      if (error instanceof Error && 'stdout' in error) return { stdout: String(error.stdout) }
      throw error
    }
  }

  #start(place: number, command: readonly string[], env: Readonly<Record<string, string>>): void {
    const child = spawn(programPath('ip') ?? '', ['netns', 'exec', this.#names[place] ?? '', ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...env },
    })
    const keep = (text: Buffer): void => {
      this.#output = (this.#output + text.toString()).slice(-16_384)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.#children.push(child)
  }
}

async function ip(...args: string[]): Promise<{ stdout: string }> {
  return run(programPath('ip') ?? '', args)
}
