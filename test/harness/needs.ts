import { accessSync, constants, statSync } from 'node:fs'
import path from 'node:path'

interface Source {
  /** The package that holds the program on Debian and Ubuntu. */
  readonly debian: string
  /** The Homebrew formula on macOS, or null where there is none. */
  readonly brew: string | null
}

/** The outside programs that tests may ask for, and where each comes from. */
export const PROGRAMS = {
  nginx: { debian: 'nginx-light', brew: 'nginx' },
  'redis-server': { debian: 'redis-server', brew: 'redis' },
  haproxy: { debian: 'haproxy', brew: 'haproxy' },
  wrk: { debian: 'wrk', brew: 'wrk' },
  h2load: { debian: 'nghttp2-client', brew: 'nghttp2' },
  curl: { debian: 'curl', brew: 'curl' },
  openssl: { debian: 'openssl', brew: 'openssl' },
  promtool: { debian: 'prometheus', brew: 'prometheus' },
  'chromium-headless-shell': { debian: 'chromium-headless-shell', brew: null },
  docker: { debian: 'docker.io', brew: 'docker' },
  dockerd: { debian: 'docker.io', brew: null },
  'docker-compose': { debian: 'docker-compose', brew: 'docker-compose' },
  debootstrap: { debian: 'debootstrap', brew: null },
  unshare: { debian: 'util-linux', brew: null },
  'systemd-analyze': { debian: 'systemd', brew: null },
  iptables: { debian: 'iptables', brew: null },
  setpriv: { debian: 'util-linux', brew: null },
  ip: { debian: 'iproute2', brew: null },
  // Debian's is the oldest that reads the manifests; .ci/run puts it beside another one that a machine may have.
  'kubectl-1.20': { debian: 'kubernetes-client', brew: null },
  python3: { debian: 'python3', brew: 'python' },
} as const satisfies Record<string, Source>

/** A program that a test may ask for. */
export type Program = keyof typeof PROGRAMS

/** Debian keeps servers where a user's PATH does not look. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** How a skip for want of programs begins; the runner sums by it. */
const REASON = 'needs '

const found = new Map<string, string | null>()

/** The absolute path of a program, looked for on PATH and where Debian keeps servers; null where it is absent. */
export function programPath(program: string): string | null {
  let file = found.get(program)
  if (file === undefined) {
    file = look(program)
    found.set(program, file)
  }
  return file
}

function look(program: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter(folder => folder !== '')
  for (const folder of [...folders, ...SYSTEM_FOLDERS]) {
    const file = path.join(folder, program)
    try {
      accessSync(file, constants.X_OK)
      if (statSync(file).isFile()) return file
    } catch {
      // not in this folder
    }
  }
  return null
}

/** The line that installs a program on this kind of machine. */
export function installLine(program: Program, platform: NodeJS.Platform = process.platform): string {
  const source: Source = PROGRAMS[program]
  if (platform !== 'darwin') return `apt-get install ${source.debian}`
  return source.brew === null ? 'not available on macOS' : `brew install ${source.brew}`
}

/**
 * Options for a test or suite that needs outside programs: `test('proxies nginx', needs('nginx'), async () => ...)`.
 * Skipped where one is absent, and the run's end says so.
 * @throws Error where OUTRIGGER_REQUIRE=all and one is absent, which fails the whole test file
 */
export function needs(...programs: Program[]): { skip: string | false } {
  const missing = programs.filter(program => programPath(program) === null)
  if (missing.length === 0) return { skip: false }
  if (process.env['OUTRIGGER_REQUIRE'] === 'all') {
    const lines = missing.map(program => `${program} is not installed: ${installLine(program)}`)
    throw new Error(`OUTRIGGER_REQUIRE=all, and ${lines.join('; ')}`)
  }
  return { skip: REASON + missing.join(' ') }
}

/** The programs that a skip waits for, read back from its reason; empty for a skip of another kind. */
export function neededBy(reason: string): Program[] {
  if (!reason.startsWith(REASON)) return []
  return reason
    .slice(REASON.length)
    .split(' ')
    .filter((word): word is Program => Object.hasOwn(PROGRAMS, word))
}
