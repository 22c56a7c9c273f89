import { readFileSync } from 'node:fs'
import path from 'node:path'

const ROOT = '/sys/fs/cgroup'
/** Above this a limit is the kernel's way to write that there is none. */
const NO_LIMIT = 2 ** 50
/** Below this share of the limit it does not matter which part could be given back. */
const CLOSE = 0.8

/** Reads a file of the kernel; null where it is not there. Injected, so that a test brings its own machine. */
export type ReadText = (file: string) => string | null

/** The files of one control group, by version. */
interface Files {
  readonly folder: string
  readonly limit: 'memory.max' | 'memory.limit_in_bytes'
  readonly usage: 'memory.current' | 'memory.usage_in_bytes'
  /** The prefix of its statistics that count the groups below it. */
  readonly total: '' | 'total_'
}

/**
 * The memory of the control group that this process is in: its limit, and how much of it cannot be given back. The
 * limit that binds is the smallest on the way up from the group (v2, then v1).
 */
export class CgroupMemory {
  /** Bytes; null: there is no limit. */
  readonly limit: number | null
  readonly #read: ReadText
  readonly #files: Files | null

  constructor(read: ReadText = readText) {
    this.#read = read
    let least: { readonly files: Files; readonly bytes: number } | null = null
    for (const files of candidates(read('/proc/self/cgroup') ?? '')) {
      const bytes = number(read(path.posix.join(files.folder, files.limit)))
      if (bytes === null || bytes <= 0 || bytes >= NO_LIMIT) continue
      if (least === null || bytes < least.bytes) least = { files, bytes }
    }
    this.limit = least?.bytes ?? null
    this.#files = least?.files ?? null
  }

  /**
   * The share of the limit that is in use, kernel memory of sockets included; null where there is no limit. Pages of
   * files, which the kernel takes back when it needs room, are not counted once it matters.
   */
  get share(): number | null {
    if (this.limit === null || this.#files === null) return null
    const { folder, usage, total } = this.#files
    const used = number(this.#read(path.posix.join(folder, usage)))
    if (used === null) return null
    if (used < CLOSE * this.limit) return used / this.limit
    const statistics = this.#read(path.posix.join(folder, 'memory.stat')) ?? ''
    return (used - filePages(statistics, total)) / this.limit
  }
}

/** The groups from the process's own up to the root, in version 2 and in version 1. A container sees its own as the root. */
function* candidates(membership: string): Generator<Files> {
  const v2 = /^0::(\/.*)$/m.exec(membership)?.[1] ?? '/'
  for (const group of upwards(v2)) {
    yield { folder: ROOT + group, limit: 'memory.max', usage: 'memory.current', total: '' }
  }
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(membership)?.[1] ?? '/'
  for (const group of upwards(v1)) {
    const folder = `${ROOT}/memory${group}`
    yield { folder, limit: 'memory.limit_in_bytes', usage: 'memory.usage_in_bytes', total: 'total_' }
  }
}

function* upwards(group: string): Generator<string> {
  for (let at = group; at !== '/' && at !== '.'; at = path.posix.dirname(at)) yield at
  yield '/'
}

/** Bytes of pages that hold files; pages of memory-backed file systems are on the other lists, and count as used. */
function filePages(statistics: string, total: Files['total']): number {
  let bytes = 0
  for (const list of ['inactive_file', 'active_file']) {
    bytes += Number(new RegExp(`^${total}${list} (\\d+)$`, 'm').exec(statistics)?.[1] ?? 0)
  }
  return bytes
}

function number(text: string | null): number | null {
  if (text === null) return null
  const value = Number(text.trim())
  return Number.isFinite(value) ? value : null
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
