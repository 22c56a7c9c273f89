import {
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/**
 * A folder as the kubelet mounts a ConfigMap or a Secret: each file is a symbolic link over `..data`, which is a symbolic link to the
 * folder of this generation, and a change is one rename of that link.
 */
export class KubeletVolume {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-volume-'))
  readonly #mode: number
  #generation = 0
  #names: readonly string[] = []

  /** @param mode of the files, `defaultMode` of the volume */
  constructor(files: Readonly<Record<string, string>>, mode = 0o644) {
    this.#mode = mode
    this.write(files)
  }

  /** Replaces everything in the volume at once. */
  write(files: Readonly<Record<string, string>>): void {
    const before = this.#generation++ === 0 ? null : readlinkSync(this.#at('..data'))
    const generation = `..2026_11_24_00_00_00.${String(this.#generation).padStart(9, '0')}`
    mkdirSync(this.#at(generation))
    for (const [name, text] of Object.entries(files))
      writeFileSync(this.#at(generation, name), text, { mode: this.#mode })
    symlinkSync(generation, this.#at('..data_tmp'))
    renameSync(this.#at('..data_tmp'), this.#at('..data'))
    // As the kubelet does it: links of new files after the swap, then those of files that are gone.
    const names = Object.keys(files)
    for (const name of names)
      if (!this.#names.includes(name)) symlinkSync(path.join('..data', name), this.#at(name))
    for (const name of this.#names) if (!names.includes(name)) unlinkSync(this.#at(name))
    this.#names = names
    if (before !== null) rmSync(this.#at(before), { recursive: true })
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #at(...names: string[]): string {
    return path.join(this.folder, ...names)
  }
}
