import { closeSync, fstatSync, lstatSync, openSync, readFileSync, readlinkSync, statfsSync } from 'node:fs'
import { dirname, resolve, sep } from 'node:path'

const FILE_LIMIT = 1024 * 1024
const OTHERS_WRITE = 0o002
const OTHERS_READ = 0o004

/** File systems in memory, by the type that statfs(2) tells: tmpfs and ramfs. Orchestrators mount secrets on them. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])
/** The link that Kubernetes swaps to renew all files of a projected volume at once. */
const PROJECTED = '..data'
/** As many as Linux follows. */
const MOST_LINKS = 40

/** What a file that a reference names holds, or what is wrong with it. */
export type SecretFile =
  | {
      readonly value: string
      /** What users of this machine other than the owner and the group may do, where that is worth a warning. */
      readonly warning: string | null
    }
  | { readonly problem: string; readonly suggestion?: string }

/** What the answer depends on beside the file itself. */
export interface SecretFileSystem {
  readonly platform: NodeJS.Platform
  /** The type of the file system that holds a path. */
  readonly typeOf: (path: string) => number
}

const MACHINE: SecretFileSystem = { platform: process.platform, typeOf: path => statfsSync(path).type }

/**
 * Reads a file that a reference names, without its final line end. One that everybody may write is refused: whoever
 * writes it decides what the configuration says. One that everybody may read brings a warning, but not in memory and not
 * in a projected volume, where the mode is the orchestrator's and only the container sees the file.
 *
 * @param name as it is written, for the texts
 */
export function readSecretFile(file: string, name: string, system: SecretFileSystem = MACHINE): SecretFile {
  let descriptor: number | null = null
  try {
    descriptor = openSync(file, 'r')
    // Of the file that is read, whatever takes its place in between.
    const { size, mode } = fstatSync(descriptor)
    // Windows tells modes that say nothing about who may do what.
    const others = system.platform === 'win32' ? 0 : mode
    if ((others & OTHERS_WRITE) !== 0) {
      return {
        problem: `the file ${name} may be written by everybody (mode ${octal(mode)}): whoever does decides what stands here`,
        suggestion: `chmod o-w ${name}`,
      }
    }
    if (size > FILE_LIMIT) return { problem: `the file ${name} is larger than 1 MiB` }
    const value = readFileSync(descriptor, 'utf8').replace(/\r?\n$/, '')
    if (value === '') return { problem: `the file ${name} is empty` }
    const shown = (others & OTHERS_READ) !== 0 && !isMounted(file, system)
    return {
      value,
      warning: shown ? `the file ${name} may be read by everybody (mode ${octal(mode)}): chmod o-r` : null,
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an error'
    return { problem: `the file ${name} cannot be read (${code})` }
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}

/** Whether an orchestrator brought the file: it lies in memory, or in a projected volume. */
function isMounted(file: string, { typeOf }: SecretFileSystem): boolean {
  return IN_MEMORY.has(typeOf(file)) || isProjected(file)
}

/** Whether the way to the file leads through a link called `..data`. */
function isProjected(file: string): boolean {
  let path = file
  for (let links = 0; links < MOST_LINKS; links++) {
    const parts = path.split(sep)
    const at = parts.lastIndexOf(PROJECTED)
    if (at > 0 && lstatSync(parts.slice(0, at + 1).join(sep)).isSymbolicLink()) return true
    if (!lstatSync(path).isSymbolicLink()) return false
    path = resolve(dirname(path), readlinkSync(path))
  }
  return false
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}
