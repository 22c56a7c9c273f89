import { sentenceAsWritten } from '../as-written.ts'
import type { ConfigError } from '../config-error.ts'
import type { LoadResult } from '../load-result.ts'
import type { ResolvedReference } from '../resolved.ts'
import { joinLayers } from './layers.ts'
import { Origins } from './origin.ts'
import { mayFollowFrom } from './partial.ts'
import { escapeBraces, resolveReferences } from './references.ts'
import { resolveConfig } from './resolve-config.ts'
import { Resolution } from './resolution.ts'
import { SourceReader } from './sources.ts'
import { validate } from './validate.ts'

/** How a configuration is to be loaded. */
export interface LoadOptions {
  /** The environment whose overlays are laid over, or undefined for none. */
  readonly env?: string | undefined
  /** False: references stay unresolved, and anything may stand where they do. */
  readonly secrets: boolean
  /** Where `${env:NAME}` looks; the process's own by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Wall-clock time in milliseconds; the machine's own by default. */
  readonly now?: number
  /** Where relative names start; the process's own by default. */
  readonly cwd?: string
}

/**
 * Reads a configuration whole: files, layers, references, schema, levels, cross checks. Synchronous and without state;
 * the serving process calls it in a child (`loader.ts`), `check` and tests at once.
 *
 * @returns plain data, or every error that was found
 */
export function loadConfig(sources: readonly string[], options: LoadOptions): LoadResult {
  const errors: ConfigError[] = []
  const origins = new Origins()
  const reader = new SourceReader(options.cwd ?? process.cwd(), origins, errors)
  const found = new Map<string, string>()
  const within = new Set<string>()
  const warnings = new Map<string, string>()
  const fail = (): LoadResult => {
    const references = referencesOf(found, within)
    return {
      ok: false,
      errors: withoutFollowers(errors)
        .toSorted(byPlace)
        .map(error => redact(error, references)),
      files: [...reader.files],
    }
  }

  const read = reader.read(sources, options.env)
  // A document with an error is never used in part, and without it the rest would seem to lack things.
  if (errors.length > 0) return fail()
  const root = joinLayers(read, origins, errors)
  resolveReferences(root, {
    environment: options.environment ?? process.env,
    secrets: options.secrets,
    origins,
    errors,
    warnings,
    files: reader.files,
    found,
    within,
  })
  // What a failed reference would have brought is a stand-in, as with references left alone.
  const secrets = options.secrets && errors.length === 0
  const { written, refused } = validate(root, origins, errors)
  if (written === null) return fail()
  // What the schema refused is taken away, and the rest is checked all the same: all errors at once, not the first.
  const resolution = new Resolution(root, origins, {
    secrets,
    partial: refused.length > 0,
    files: reader.files,
    found,
    ...(options.now === undefined ? {} : { now: options.now }),
  })
  const layers = [...read.bases, ...read.overlays].map(document => document.file.name)
  const resolved = resolveConfig(written, layers, resolution)
  errors.push(...resolution.errors.filter(error => !mayFollowFrom(error.path ?? '', refused)))
  if (errors.length > 0) return fail()
  const config = { ...resolved, files: [...reader.files] }
  const references = referencesOf(found, within)
  return {
    ok: true,
    config: references.length === 0 ? config : { ...config, references },
    warnings: [...warnings.values(), ...resolution.warnings],
  }
}

/** What is below a key that is not supported is not looked at: the missing variable in it is not the problem. */
function withoutFollowers(errors: readonly ConfigError[]): ConfigError[] {
  const unsupported = errors
    .filter(error => error.message.endsWith(' is not supported yet'))
    .map(error => `${error.path}.`)
  return errors.filter(error => !unsupported.some(path => error.path?.startsWith(path)))
}

function byPlace(a: ConfigError, b: ConfigError): number {
  return a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1
}

/** The longest values first. Templates hold a value with its braces escaped. */
function referencesOf(found: ReadonlyMap<string, string>, within: ReadonlySet<string>): ResolvedReference[] {
  const references: ResolvedReference[] = []
  for (const [value, written] of found) {
    const escaped = escapeBraces(value)
    const inside = within.has(value) ? ({ within: true } as const) : {}
    if (escaped !== value) references.push({ value: escaped, written, ...inside })
    references.push({ value, written, ...inside })
  }
  return references.toSorted((a, b) => b.value.length - a.value.length)
}

/** Puts the reference in the place of what it brought, wherever an error would show it. */
function redact(error: ConfigError, references: readonly ResolvedReference[]): ConfigError {
  const { message, suggestion } = error
  return {
    ...error,
    message: sentenceAsWritten(message, references),
    ...(suggestion === undefined ? {} : { suggestion: sentenceAsWritten(suggestion, references) }),
  }
}

/** The environments for which an overlay lies beside these files. */
export function environmentsOf(sources: readonly string[], cwd: string = process.cwd()): string[] {
  const reader = new SourceReader(cwd, new Origins(), [])
  reader.read(sources, undefined)
  return reader.environmentsHere()
}
