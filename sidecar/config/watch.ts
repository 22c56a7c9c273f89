import { basename, dirname, resolve } from 'node:path'
import type { FSWatcher } from 'chokidar'
import { changedAt, fileFingerprint, folderFingerprint } from './file-contents.ts'
import type { Fingerprint } from './file-contents.ts'
import { QuietPeriod, systemTimers } from './quiet-period.ts'
import type { Timers } from './quiet-period.ts'

/** Node takes a longer delay for one of 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** Stretches of time, and the timers of tests. */
export interface ConfigWatcherOptions {
  /** Stretch without an event before files are compared, in milliseconds. */
  readonly quiet?: number
  /** Limit after the first event, in milliseconds. */
  readonly latest?: number
  readonly timers?: Timers
  /** Milliseconds since 1970, as files are stamped. */
  readonly wall?: () => number
}

/**
 * Says when a file of the configuration holds something else than before. Events of the file system only say when to
 * look; what counts is the content, so a touched file is no change, and a poll finds what no event told.
 *
 * Watched are the folders of the files, which outlive editors' renames, deleted files and Kubernetes' `..data` swap.
 */
export class ConfigWatcher {
  readonly #onChange: () => void
  readonly #timers: Timers
  readonly #period: QuietPeriod
  readonly #wall: () => number
  #files = new Set<string>()
  #folders = new Set<string>()
  #names = new Set<string>()
  /** By path; those of folders end with a slash. */
  #known = new Map<string, Fingerprint>()
  #watched = ''
  #watcher: FSWatcher | null = null
  #opening: Promise<void> = Promise.resolve()
  #poll: NodeJS.Timeout | number | null = null
  #comparing: Promise<void> | null = null
  #again = false
  #lookedAt: number
  #closed = false

  /** Made before the first load, so that what changes while it runs is noticed. */
  constructor(onChange: () => void, options: ConfigWatcherOptions = {}) {
    this.#onChange = onChange
    this.#timers = options.timers ?? systemTimers
    this.#wall = options.wall ?? Date.now
    this.#lookedAt = this.#wall()
    this.#period = new QuietPeriod(
      () => this.compare(),
      options.quiet ?? 50,
      options.latest ?? 250,
      this.#timers,
    )
  }

  /**
   * Watches these from now on, instead of what was watched before.
   * @param files absolute paths, there or not @param directories folders whose configuration files all count
   * @param pollMs how often contents are compared without any event
   */
  watch(files: readonly string[], directories: readonly string[], pollMs: number): void {
    if (this.#closed) return
    this.#files = new Set(files.map(file => resolve(file)))
    this.#folders = new Set(directories.map(folder => resolve(folder)))
    this.#names = new Set([...this.#files].map(file => basename(file)))
    const parents = new Set([...this.#folders, ...[...this.#files].map(file => dirname(file))])
    const watched = [...parents].toSorted().join('\0')
    if (watched !== this.#watched) {
      this.#watched = watched
      // Where they cannot be watched, the poll is what remains.
      this.#opening = this.#opening.then(() => this.#open([...parents])).catch(() => {})
    }
    if (this.#poll !== null) this.#timers.clear(this.#poll)
    this.#tick(pollMs)
    // Takes in what is new; what is known keeps what it held when the last change was told.
    this.compare()
  }

  /** Compares contents now. Calls `onChange` where one differs. */
  compare(): void {
    if (this.#closed) return
    if (this.#comparing !== null) {
      this.#again = true
      return
    }
    this.#comparing = this.#compareOnce().finally(() => {
      this.#comparing = null
      if (!this.#again) return
      this.#again = false
      this.compare()
    })
  }

  /** Resolves when a comparison that is under way is done. */
  async settled(): Promise<void> {
    await this.#opening
    while (this.#comparing !== null) await this.#comparing
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#period.cancel()
    if (this.#poll !== null) this.#timers.clear(this.#poll)
    this.#poll = null
    await this.#opening
    await this.#watcher?.close()
    this.#watcher = null
  }

  async #compareOnce(): Promise<void> {
    const since = this.#lookedAt
    this.#lookedAt = this.#wall()
    const changed = await this.#look(since)
    // Once more: what changed while this was looked at is part of what is told now, and no second change.
    if (changed) await this.#look(since)
    if (changed && !this.#closed) this.#onChange()
  }

  async #look(since: number): Promise<boolean> {
    const found = new Map<string, Fingerprint>()
    let changed = false
    for (const file of this.#files)
      changed = (await this.#one(file, file, fileFingerprint, found, since)) || changed
    for (const folder of this.#folders) {
      changed = (await this.#one(`${folder}/`, folder, folderFingerprint, found, since)) || changed
    }
    this.#known = found
    return changed
  }

  async #one(
    key: string,
    path: string,
    read: (path: string) => Promise<Fingerprint>,
    found: Map<string, Fingerprint>,
    since: number,
  ): Promise<boolean> {
    const before = this.#known.get(key)
    const now = await read(path)
    found.set(key, now)
    // One that is new here was read by the load before this: it differs if it was written since.
    return before === undefined ? (await changedAt(path)) > since : before !== now
  }

  async #open(parents: string[]): Promise<void> {
    await this.#watcher?.close()
    this.#watcher = null
    if (this.#closed) return
    // Comes when the first configuration is watched: `check` and `explain` never need it.
    const { watch } = await import('chokidar')
    const watcher = watch(parents, {
      depth: 0,
      ignoreInitial: true,
      ignorePermissionErrors: true,
      ignored: path => !this.#concerns(path),
    })
    this.#watcher = watcher
    watcher.on('all', () => this.#period.event())
    // What chokidar makes nothing of, such as a symbolic link that was replaced, is told raw.
    watcher.on('raw', (_event, path) => {
      if (typeof path !== 'string' || this.#concerns(path)) this.#period.event()
    })
    // Without events (no inotify watches left, a file system that has none) the poll is what remains.
    watcher.on('error', () => {})
    await new Promise<void>(ready => watcher.once('ready', ready))
    this.#period.event()
  }

  /** Whether an event of this path may mean something: a folder of ours, a file's name, or Kubernetes' `..data`. */
  #concerns(path: string): boolean {
    const name = basename(path)
    if (this.#names.has(name) || name.startsWith('..') || /\.ya?ml$/.test(name)) return true
    return this.#watched.split('\0').includes(path)
  }

  #tick(delay: number): void {
    const timer = this.#timers.set(
      () => {
        this.compare()
        this.#tick(delay)
      },
      Math.min(delay, LONGEST_DELAY_MS),
    )
    if (typeof timer === 'object') timer.unref()
    this.#poll = timer
  }
}
