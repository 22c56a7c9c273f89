import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Engine } from './engine.ts'
import { IMAGE, ROOT } from './engine.ts'
import { until } from './stack.ts'

const DOCKERFILE = `FROM ${IMAGE}
USER 0
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd dbus procps >/dev/null
COPY . /
RUN systemctl enable outrigger
HEALTHCHECK NONE
ENTRYPOINT ["/lib/systemd/systemd"]
CMD []
`

/** A machine of systemd in a container, with the unit of deploy/ enabled and a configuration for it. */
export class SystemdMachine {
  readonly #engine: Engine

  private constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Starts it, and waits until the service is ready. @param folder an empty one, for what goes into the image */
  static async start(engine: Engine, folder: string, yaml: string): Promise<SystemdMachine> {
    const units = path.join(folder, 'files', 'etc', 'systemd', 'system')
    const config = path.join(folder, 'files', 'etc', 'outrigger')
    for (const made of [units, config]) mkdirSync(made, { recursive: true })
    cpSync(path.join(ROOT, 'deploy', 'outrigger.service'), path.join(units, 'outrigger.service'))
    writeFileSync(path.join(config, 'outrigger.yaml'), yaml)
    writeFileSync(path.join(folder, 'Dockerfile'), DOCKERFILE)
    const file = path.join(folder, 'Dockerfile')
    await engine.docker('build', '--network', 'host', '-t', 'systemd', '-f', file, path.join(folder, 'files'))
    // What systemd needs to be process 1 of a container; the unit's own restrictions are not among it.
    const rights = [
      '--cap-add',
      'SYS_ADMIN',
      '--cap-add',
      'NET_ADMIN',
      '--security-opt',
      'seccomp=unconfined',
    ]
    const mounts = ['--tmpfs', '/run', '--tmpfs', '/run/lock', '--tmpfs', '/tmp', ...groups()]
    const own = ['--name', 'systemd', '--network', 'none', '-e', 'container=docker']
    await engine.docker('run', '-d', ...own, ...rights, ...mounts, 'systemd')
    const machine = new SystemdMachine(engine)
    await machine.logged(/"msg":"ready"/)
    return machine
  }

  /** Runs a program on the machine. @returns its stdout @throws Error where it fails */
  async run(...command: string[]): Promise<string> {
    return this.#engine.docker('exec', 'systemd', ...command)
  }

  /** A property of the service. */
  async property(name: string): Promise<string> {
    return this.run('systemctl', 'show', '--property', name, '--value', 'outrigger')
  }

  /** Waits for a line of the service's journal. */
  async logged(pattern: RegExp): Promise<void> {
    await until(async () => {
      const journal = ['journalctl', '-u', 'outrigger', '--no-pager', '-o', 'cat']
      const { text } = await this.#engine.tries('docker', ['exec', 'systemd', ...journal])
      return pattern.test(text) ? null : `the journal has no ${pattern}:\n${text}`
    })
  }

  async stop(): Promise<void> {
    await this.#engine.docker('rm', '-f', 'systemd')
  }
}

/** The control groups, which systemd wants to write: its own hierarchy of version 1, or all of version 2. */
function groups(): string[] {
  const first = '/sys/fs/cgroup/systemd'
  return existsSync(first)
    ? ['-v', `${first}:${first}:rw`]
    : ['--cgroupns=host', '-v', '/sys/fs/cgroup:/sys/fs/cgroup:rw']
}
