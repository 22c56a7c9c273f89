import type { ExternalPolicy } from '../../filters/external/schema.ts'
import type { LimitsConfig } from '../../filters/rate-limit/schema.ts'
import type { ConfigError } from '../config-error.ts'
import type { SourcePlace } from '../resolved.ts'
import { faultAt, pathText } from './fault.ts'
import { rememberText } from './hash.ts'
import type { ConfigMap, Origins } from './origin.ts'

/** The keys and indexes that lead to a value. */
export type ConfigPath = readonly (string | number)[]

/** What the steps of resolving share: where things were written, and what was found wrong. */
export class Resolution {
  readonly root: ConfigMap
  readonly errors: ConfigError[] = []
  readonly warnings: string[] = []
  /** Absolute paths of the files that took part; more are added by whoever reads one. */
  readonly files: Set<string>
  /** What files and references brought, with how each was written: so that it is shown as written. */
  readonly found: Map<string, string>
  /** False: references were left alone, so what came from them is a stand-in and is not compared with anything. */
  readonly secrets: boolean
  /** True: the schema refused a part, so what two places say is not compared: one of them may be missing. */
  readonly partial: boolean
  /** The services of `authorization.external`, known before the first listener. */
  externals: ReadonlyMap<string, ExternalPolicy> = new Map()
  /** Known before the first listener. */
  limits: LimitsConfig = { stores: {}, plans: {}, consumers: {}, digest: '' }
  /** Wall-clock time in milliseconds, for what ends. */
  readonly now: number
  readonly #origins: Origins
  readonly #shared = new Map<string, object>()
  readonly #reported = new Set<string>()
  constructor(
    root: ConfigMap,
    origins: Origins,
    options: {
      secrets: boolean
      partial: boolean
      files?: Set<string>
      found?: Map<string, string>
      now?: number
    },
  ) {
    this.root = root
    this.files = options.files ?? new Set()
    this.found = options.found ?? new Map()
    this.secrets = options.secrets
    this.partial = options.partial
    this.now = options.now ?? Date.now()
    this.#origins = origins
  }

  /** Reports what is wrong with the value (or the key) at a path; what several routes inherit is reported once. */
  fault(path: ConfigPath, message: string, suggestion?: string, what: 'key' | 'value' = 'value'): void {
    const text = `${pathText(path)}: ${message}`
    if (this.#reported.has(text)) return
    this.#reported.add(text)
    const spot = this.#origins.find(this.root, path, what)
    this.errors.push(faultAt(spot, message, { suggestion, path: pathText(path) }))
  }

  /** Where a path was written. */
  place(path: ConfigPath, what: 'key' | 'value' = 'value'): SourcePlace {
    const spot = this.#origins.find(this.root, path, what)
    return spot === undefined ? { file: '', line: 0, column: 0 } : spot.file.place(spot.offset)
  }

  /** One object for all equal values of plain data: most routes have the policies of their neighbours. */
  shared<T extends object>(value: T): T {
    const text = JSON.stringify(value)
    const first = this.#shared.get(text)
    // Equal text is equal data of equal keys.
    if (first !== undefined) return first as T
    this.#shared.set(text, value)
    rememberText(value)
    return value
  }

  /** `edge.yaml:12`. */
  line(path: ConfigPath): string {
    const place = this.place(path, 'key')
    return `${place.file}:${place.line}`
  }

  /** The absolute path of the file in which a path was written. */
  fileOf(path: ConfigPath): string | undefined {
    return this.#origins.find(this.root, path, 'value')?.file.path
  }
}
