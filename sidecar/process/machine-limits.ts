import { readFileSync } from 'node:fs'
import { CgroupMemory } from './cgroup-memory.ts'

const MIB = 1_048_576
/** What a client connection may cost at worst, for the share of memory that connections may take. */
const CONNECTION_BYTES = 131_072
const MOST_CONNECTIONS = 10_000
/** Descriptors that are left for files, connections in the making, and the admin listener. */
const RESERVED_DESCRIPTORS = 64

/** The memory budget for buffers in bytes: a quarter of the cgroup's limit, else 256 MiB. */
export function memoryLimit(cgroup = new CgroupMemory().limit): number {
  return cgroup === null ? 256 * MIB : Math.floor(cgroup / 4)
}

/** How many client connections may be open: min(10,000, (descriptors - 64) / 2, memory / 128 KiB), at least one. */
export function connectionLimit(descriptors = descriptorLimit(), cgroup = new CgroupMemory().limit): number {
  // Each client connection may need one upstream as well.
  const byDescriptors = descriptors === null ? Infinity : Math.floor((descriptors - RESERVED_DESCRIPTORS) / 2)
  const byMemory = cgroup === null ? Infinity : Math.floor(cgroup / CONNECTION_BYTES)
  return Math.max(1, Math.min(MOST_CONNECTIONS, byDescriptors, byMemory))
}

/** The soft limit of open files, or null where the system does not say. */
function descriptorLimit(): number | null {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    return found === null ? null : Number(found[1])
  } catch {
    return null
  }
}
