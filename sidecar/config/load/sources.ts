import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { ConfigError } from '../config-error.ts'
import { DOCUMENT_LIMITS, readDocument } from './document.ts'
import { SourceFile } from './origin.ts'
import type { ConfigMap, Origins } from './origin.ts'
import { didYouMean } from './suggestion.ts'

const ENVIRONMENTS = ['development', 'test', 'staging', 'production']
const YAML = /\.ya?ml$/

/** A file with what it says. */
export interface Document {
  readonly file: SourceFile
  readonly value: ConfigMap
}

/** A file that is there: its name as the user gave it, and its absolute path. */
interface Found {
  readonly name: string
  readonly path: string
}

/** The documents of a configuration, in the order in which they are laid. */
export interface Sources {
  readonly bases: readonly Document[]
  readonly overlays: readonly Document[]
}

/**
 * Finds and reads the files of a configuration: those named, those in the folders named, and the overlays of an
 * environment that lie beside them.
 */
export class SourceReader {
  readonly #cwd: string
  readonly #origins: Origins
  readonly #errors: ConfigError[]
  /** Absolute paths of every file that was read or looked for. */
  readonly files = new Set<string>()
  #environments: readonly string[] = ENVIRONMENTS
  #bases: readonly Document[] = []

  constructor(cwd: string, origins: Origins, errors: ConfigError[]) {
    this.#cwd = cwd
    this.#origins = origins
    this.#errors = errors
  }

  /** @param paths files and folders; @param env the environment, or undefined for none */
  read(paths: readonly string[], env: string | undefined): Sources {
    const named: Found[] = []
    const inFolders: Found[] = []
    for (const name of paths) this.#find(name, named, inFolders)
    const bases = [...named, ...inFolders.filter(one => this.#overlayOf(one.name) === null)].flatMap(one =>
      this.#document(one),
    )
    this.#environments = [...ENVIRONMENTS, ...bases.flatMap(base => declared(base.value))]
    const overlayNames = new Set(
      inFolders.filter(one => this.#overlayOf(one.name) !== null).map(one => one.path),
    )
    this.#bases = bases.filter(base => !overlayNames.has(base.file.path))
    if (this.#bases.length === 0 && this.#errors.length === 0)
      this.#fail(paths.join(', '), 'no configuration file is here (*.yaml, *.yml)')
    if (env === undefined) return { bases: this.#bases, overlays: [] }
    if (!this.#environments.includes(env)) {
      this.#errors.push({
        file: '',
        line: 0,
        column: 0,
        message: `unknown environment \`${env}\`: expected ${this.#environments.join(', ')} or one of \`environments\``,
        ...optional(didYouMean(env, this.#environments)),
      })
    }
    return { bases: this.#bases, overlays: this.#overlays(env).flatMap(one => this.#document(one)) }
  }

  /** The environments for which an overlay lies beside the files that were read. */
  environmentsHere(): string[] {
    return this.#environments.filter(env => this.#overlays(env).length > 0)
  }

  #find(name: string, named: Found[], inFolders: Found[]): void {
    const path = resolve(this.#cwd, name)
    try {
      if (!statSync(path).isDirectory()) {
        named.push({ name, path })
        return
      }
      for (const entry of readdirSync(path).toSorted()) {
        if (entry.startsWith('.') || !YAML.test(entry) || !statSync(join(path, entry)).isFile()) continue
        inFolders.push({ name: join(name, entry), path: join(path, entry) })
      }
    } catch (error) {
      this.files.add(path)
      this.#fail(name, `cannot be read: ${reason(error)}`)
    }
  }

  /** The environment whose overlay a file in a folder is, by its name. */
  #overlayOf(name: string): string | null {
    const stem = basename(name).replace(YAML, '')
    const last = stem.slice(stem.lastIndexOf('.') + 1)
    return this.#environments.includes(last) ? last : null
  }

  #overlays(env: string): Found[] {
    const taken = new Set(this.#bases.map(base => base.file.path))
    const shared: Found[] = []
    const own: Found[] = []
    for (const { file } of this.#bases) {
      const stem = basename(file.path).replace(YAML, '')
      for (const extension of ['yaml', 'yml']) {
        this.#look(file, `${env}.${extension}`, taken, shared)
        this.#look(file, `${stem}.${env}.${extension}`, taken, own)
      }
    }
    return [...shared, ...own]
  }

  #look(beside: SourceFile, entry: string, taken: Set<string>, found: Found[]): void {
    const path = join(dirname(beside.path), entry)
    if (taken.has(path)) return
    taken.add(path)
    this.files.add(path)
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return
    found.push({ name: join(dirname(beside.name), entry), path })
  }

  #document({ name, path }: Found): Document[] {
    this.files.add(path)
    let text: string
    try {
      if (statSync(path).size > DOCUMENT_LIMITS.bytes) {
        this.#fail(name, 'the file is larger than 16 MiB')
        return []
      }
      text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
    } catch (error) {
      this.#fail(
        name,
        error instanceof TypeError ? 'the file is not UTF-8' : `cannot be read: ${reason(error)}`,
      )
      return []
    }
    const file = new SourceFile(name, path, text)
    const value = readDocument(file, this.#origins, this.#errors)
    return value === null ? [] : [{ file, value }]
  }

  #fail(file: string, message: string): void {
    this.#errors.push({ file, line: 0, column: 0, message })
  }
}

function declared(value: ConfigMap): string[] {
  const names = value['environments']
  const list: unknown[] = Array.isArray(names) ? names : [names]
  return list.filter(name => typeof name === 'string')
}

function optional(suggestion: string | undefined): { suggestion?: string } {
  return suggestion === undefined ? {} : { suggestion }
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  return error instanceof Error ? error.message : String(error)
}
