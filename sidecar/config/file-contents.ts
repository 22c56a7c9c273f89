import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** What a file or a folder held: a digest, or `absent`. */
export type Fingerprint = string

const YAML = /^[^.].*\.ya?ml$/

/** The digest of a file's content. A file that cannot be read counts as absent: when it can be, that is a change. */
export async function fileFingerprint(path: string): Promise<Fingerprint> {
  try {
    return createHash('sha256')
      .update(await readFile(path))
      .digest('base64')
  } catch {
    return 'absent'
  }
}

/** The names of a folder's configuration files and what they hold. */
export async function folderFingerprint(path: string): Promise<Fingerprint> {
  try {
    const names = (await readdir(path)).filter(name => YAML.test(name)).toSorted()
    const hash = createHash('sha256')
    for (const name of names) hash.update(`${name}\0${await fileFingerprint(join(path, name))}\0`)
    return hash.digest('base64')
  } catch {
    return 'absent'
  }
}

/** When a file or folder was changed last, in milliseconds since 1970; 0 where it is not there. */
export async function changedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs
  } catch {
    return 0
  }
}
