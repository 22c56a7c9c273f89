import type { z } from 'zod'
import type { ConfigError } from '../config-error.ts'
import { isSecretMember } from './excerpt.ts'
import { faultAt, pathText } from './fault.ts'
import { keyHint, mapHint } from './hint.ts'
import { isConfigMap } from './merge.ts'
import type { ConfigMap, Origins, Spot } from './origin.ts'
import { complete, without } from './partial.ts'
import { rootSchema } from './root-schema.ts'
import type { WrittenConfig } from './root-schema.ts'
import { parseName, show, type Within, Wrong } from './scalars.ts'
import { sectionAt } from './shape.ts'

type Path = (string | number)[]

/** What the schema made of a configuration: all of it, or what is left without the paths it refused, or nothing. */
export interface Validated {
  readonly written: WrittenConfig | null
  readonly refused: readonly Path[]
}

/** Reads the joined values by the schema; what it refuses is added to `errors`. */
export function validate(root: ConfigMap, origins: Origins, errors: ConfigError[]): Validated {
  const result = rootSchema.safeParse(root)
  if (result.success) return { written: result.data, refused: [] }
  const report = new Report(root, origins, errors)
  report.issues(result.error.issues, [])
  const partial = without(root, report.refused)
  const rest = rootSchema.safeParse(partial)
  if (rest.success) return { written: rest.data, refused: report.refused }
  // A key whose value was refused may be one that has to be there; where no stand-in can be for it, the map around it goes.
  const paths = rest.error.issues.map(issue => issue.path as Path)
  complete(partial, paths)
  const completed = rootSchema.safeParse(partial)
  if (completed.success) return { written: completed.data, refused: report.refused }
  const maps = completed.error.issues.map(issue => (issue.path as Path).slice(0, -1))
  const smaller = rootSchema.safeParse(without(partial, maps))
  return { written: smaller.success ? smaller.data : null, refused: report.refused }
}

function isNoMap(issues: readonly z.core.$ZodIssue[]): boolean {
  return issues.some(issue => issue.path.length === 0 && issue.code === 'invalid_type')
}
/** The character of a value; where it is not written as it is (escapes, several lines, a reference), the value's begin. */
function inside(spot: Spot | undefined, within: Within | undefined): Spot | undefined {
  if (spot === undefined || within === undefined) return spot
  const { text } = spot.file
  const start = spot.offset + (/["']/.test(text.charAt(spot.offset)) ? 1 : 0)
  return text.startsWith(within.text, start) ? { file: spot.file, offset: start + within.at } : spot
}
function isOfValue(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && issue.code === 'custom'
}

class Report {
  readonly #root: ConfigMap
  readonly #origins: Origins
  readonly #errors: ConfigError[]
  readonly refused: Path[] = []
  constructor(root: ConfigMap, origins: Origins, errors: ConfigError[]) {
    this.#root = root
    this.#origins = origins
    this.#errors = errors
  }

  issues(issues: readonly z.core.$ZodIssue[], above: Path): void {
    const unknown = new Set(
      issues.filter(one => one.code === 'unrecognized_keys').map(one => pathText(one.path as Path)),
    )
    for (const issue of issues) {
      // Where a key is misspelt, what the map lacks is that key.
      if (issue.code === 'custom' && unknown.has(pathText(issue.path as Path))) continue
      this.#issue(issue, above)
    }
  }

  #issue(issue: z.core.$ZodIssue, above: Path): void {
    // Keys of a configuration are text and indexes.
    const path = [...above, ...(issue.path as Path)]
    switch (issue.code) {
      case 'unrecognized_keys':
        // `__proto__` was refused before, wherever it stands.
        for (const key of issue.keys) if (key !== '__proto__') this.#unknown(path, key)
        return
      case 'invalid_union': {
        // By convention the last alternative is the whole form, of which the others are shorter ones or `off`. Where no
        // map was given, a shorter one that says what is wrong with the value itself is nearer to what was meant.
        const last = issue.errors.at(-1) ?? []
        const shorter = isNoMap(last) ? issue.errors.find(one => one.some(isOfValue)) : undefined
        this.issues(shorter ?? last, path)
        return
      }
      case 'invalid_key': {
        const key = String(path.at(-1))
        const wrong = parseName(key, `\`${key}\``)
        const first = issue.issues[0]
        const message =
          first?.code === 'custom'
            ? first.message
            : wrong instanceof Wrong
              ? wrong.message
              : `\`${key}\` cannot be a key here`
        this.#add(path, 'key', message)
        return
      }
      case 'custom': {
        // As `scalar` gave them.
        const { suggestion, within } = (issue.params ?? {}) as Partial<Pick<Wrong, 'suggestion' | 'within'>>
        this.#add(path, 'value', issue.message, suggestion, within)
        return
      }
      default: {
        const map =
          issue.code === 'invalid_type' ? /^expected a map \((.*?)\), got/.exec(issue.message) : null
        const hint = map === null ? undefined : mapHint(map[1] ?? '', this.#find(path).value)
        this.#add(path, 'value', issue.message, hint)
      }
    }
  }

  #unknown(path: Path, key: string): void {
    const info = sectionAt(rootSchema, path)
    const at = [...path, key]
    if (info?.later.includes(key)) {
      this.#add(at, 'key', `\`${key}\` is not supported yet`)
      return
    }
    const place = info === undefined ? '' : ` in ${info.what}`
    const hint = keyHint(rootSchema, path, key, this.#find(at).value)
    this.#add(at, 'key', `unknown key \`${key}\`${place}`, hint)
  }

  #add(path: Path, what: 'key' | 'value', message: string, suggestion?: string, within?: Within): void {
    this.refused.push(path)
    const { given, value } = this.#find(path)
    const spot = inside(this.#origins.find(this.#root, path, what), within)
    let text = message
    if (given === 'missing') {
      const info = sectionAt(rootSchema, path.slice(0, -1))
      text = `\`${String(path.at(-1))}\` is missing${info === undefined ? '' : ` in ${info.what}`}`
    } else if (given === 'empty') {
      text = `\`${String(path.at(-1))}\` has no value: ${message.replace(/, got (no value|nothing).*$/, '')}`
    }
    // What was given instead of a secret may be one; a cookie is mostly a name.
    const name = String(path.at(-1))
    if (typeof value === 'string' && name !== 'cookie' && isSecretMember(name, value))
      text = text.replaceAll(show(value), (_, at: number) => (at === 0 ? 'this' : 'something else'))
    this.#errors.push(
      faultAt(spot, text, { suggestion: given === 'there' ? suggestion : undefined, path: pathText(path) }),
    )
  }

  /** What stands at the path, and whether something does. What a shorthand hides counts as there. */
  #find(path: Path): { given: 'there' | 'missing' | 'empty'; value?: unknown } {
    let value: unknown = this.#root
    for (const [index, key] of path.entries()) {
      if (Array.isArray(value)) value = value[Number(key)]
      else if (isConfigMap(value)) {
        if (key === 0 && !Object.hasOwn(value, key)) continue
        if (!Object.hasOwn(value, key)) return { given: index === path.length - 1 ? 'missing' : 'there' }
        value = value[key]
      } else return { given: value === null ? 'empty' : 'there' }
    }
    return { given: value === null ? 'empty' : 'there', value }
  }
}
