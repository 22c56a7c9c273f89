import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/**
 * Outrigger as it runs where the control group has `SMALL_MACHINE_BYTES` of memory: the kernel's files say so, and
 * that the group uses what this process has resident. No rights are needed for it, and nobody kills the process, so
 * that how far it went can be seen.
 */
const limit = process.env['SMALL_MACHINE_BYTES'] ?? ''
const read = fs.readFileSync.bind(fs)

function faked(file: unknown): string | null {
  if (file === '/proc/self/cgroup') return '0::/\n'
  if (file === '/sys/fs/cgroup/memory.max') return limit
  if (file === '/sys/fs/cgroup/memory.current') return String(process.memoryUsage.rss())
  if (file === '/sys/fs/cgroup/memory.stat') return ''
  return null
}

// The one function through which the files are read, with the same answer for all others.
fs.readFileSync = ((...args: Parameters<typeof fs.readFileSync>) =>
  faked(args[0]) ?? read(...args)) as typeof fs.readFileSync
syncBuiltinESMExports()

await import('../../sidecar/main.ts')
