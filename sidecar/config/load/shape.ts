import { z } from 'zod'
import { isConfigMap } from './merge.ts'
import { show } from './scalars.ts'

/** What errors need to know of a map in the schema: what it is called, and which keys come with later versions. */
export interface SectionInfo {
  readonly what: string
  readonly later: readonly string[]
}

/** By definition, which a schema shares with its copies. */
const sections = new WeakMap<object, SectionInfo>()
/** Shorter spellings of a schema, as JSON Schema, by definition of the schema that accepts them. */
const shorthands = new WeakMap<object, readonly object[]>()

/** A map with exactly these keys. `later`: keys that a later version acts on; using one is an error that says so. */
export function section<const S extends z.core.$ZodLooseShape>(
  what: string,
  shape: S,
  later: readonly string[] = [],
) {
  const schema = z.strictObject(shape, {
    error: issue =>
      issue.code === 'invalid_type' ? `expected a map (${what}), got ${show(issue.input)}` : undefined,
  })
  sections.set(schema._zod.def, { what, later })
  return schema
}

/** A key that may be left out. `fallback` is what holds then, as the reference shows it. */
export function option<S extends z.ZodType>(
  schema: S,
  description: string,
  fallback?: unknown,
): z.ZodOptional<S> {
  return schema.optional().meta({ description, ...(fallback === undefined ? {} : { $fallback: fallback }) })
}

/** A key that has to be there. */
export function required<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ description })
}

/** A list of which one member may stand for the whole. */
export function list<S extends z.ZodType>(member: S, most = 100_000) {
  return shorter(
    value => (Array.isArray(value) || value === undefined || value === null ? value : [value]),
    z.array(member).max(most, { error: `expected at most ${most}` }),
    [member],
  )
}

/** A map by name. */
export function byName<S extends z.ZodType>(name: z.ZodType<string>, value: S) {
  return z.record(name as z.ZodString, value, {
    error: issue =>
      issue.code === 'invalid_type' ? `expected a map by name, got ${show(issue.input)}` : undefined,
  })
}

/** A map by header name, in which one name cannot stand in two spellings. */
export function byFieldName<S extends z.ZodType>(name: z.ZodType<string>, value: S) {
  const map = byName(name, value)
  return z.preprocess((given, context) => {
    const seen = new Map<string, string>()
    for (const key of isConfigMap(given) ? Object.keys(given) : []) {
      const first = seen.get(key.toLowerCase())
      const message = `\`${key}\` and \`${first}\` are one header: give it once`
      if (first !== undefined) context.issues.push({ code: 'custom', input: given, path: [key], message })
      seen.set(key.toLowerCase(), key)
    }
    return given
  }, map)
}

/** A map, or `off`. */
export function orOff<S extends z.ZodType>(schema: S) {
  return z.union([z.literal(false), schema])
}

/**
 * A schema with shorter spellings that are expanded first.
 * @param spellings what the JSON Schema says of them: schemas, or JSON Schema
 */
export function shorter<S extends z.ZodType>(
  expand: (value: unknown) => unknown,
  schema: S,
  spellings: readonly object[],
) {
  const result = z.preprocess(expand, schema)
  shorthands.set(result._zod.def, spellings)
  return result
}

/** The JSON Schema of what a user may write, shorthands included. */
export function toJsonSchema(schema: z.ZodType): Record<string, unknown> {
  return spell(rawJsonSchema(schema)) as Record<string, unknown>
}

/** As YAML editors read it: `on` and `off` are text to them. What zod drops from schemas that transform gets its name back. */
function spell(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(spell)
  if (!isConfigMap(json)) return json
  if (json['const'] === false) return { enum: [false, 'off'] }
  const words: unknown = json['enum']
  if (Array.isArray(words) && words.includes(true))
    return { ...json, enum: [...new Set([...words, 'on', 'off'])] }
  // The key of a policy is called `fallback`: the mark has to have a name that no key can have.
  const { $fallback: fallback, samples, ...rest } = json
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(rest)) result[key] = spell(value)
  if (result['type'] === 'boolean') {
    delete result['type']
    result['enum'] = [true, false, 'on', 'off']
  }
  if (samples !== undefined) result['examples'] = samples
  if (fallback !== undefined) result['default'] = fallback === false ? 'off' : fallback
  return result
}

function rawJsonSchema(schema: z.ZodType): Record<string, unknown> {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      const spellings = shorthands.get(zodSchema._zod.def)
      if (spellings === undefined) return
      const { description, $fallback: fallback, ...whole } = jsonSchema
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key]
      const short = spellings.map(one => (one instanceof z.ZodType ? rawJsonSchema(one) : one))
      Object.assign(jsonSchema, {
        ...(description === undefined ? {} : { description }),
        ...(fallback === undefined ? {} : { $fallback: fallback }),
        anyOf: [...short.map(withoutDialect), whole],
      })
    },
  })
  return { ...json }
}

function withoutDialect(json: object): object {
  const { $schema: _, ...rest } = json as Record<string, unknown>
  return rest
}

/** The map in the schema that a path leads to: its keys, and what errors call it. */
export function sectionAt(
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
): (SectionInfo & { readonly keys: readonly string[] }) | undefined {
  let current: z.core.$ZodType | undefined = schema
  let rest = path
  while (current !== undefined) {
    // `_zod.def` of the base class does not say which of its kinds it is; `type` does.
    const def = current._zod.def as z.core.$ZodTypes['_zod']['def']
    switch (def.type) {
      case 'object': {
        if (rest.length === 0) {
          const info = sections.get(def)
          return info && { ...info, keys: Object.keys(def.shape) }
        }
        current = def.shape[String(rest[0])]
        rest = rest.slice(1)
        break
      }
      case 'array':
        current = def.element
        rest = rest.slice(1)
        break
      case 'record':
        current = def.valueType
        rest = rest.slice(1)
        break
      case 'optional':
        current = def.innerType
        break
      case 'pipe':
        current = def.in._zod.def.type === 'transform' ? def.out : def.in
        break
      case 'union':
        current = def.options.at(-1)
        break
      default:
        return undefined
    }
  }
  return undefined
}

/** A copy of any value without the marks of references, for what is passed on as it is. */
export function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue)
  if (isConfigMap(value))
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plainValue(one)]))
  if (typeof value === 'object' && value !== null && 'text' in value) return value.text
  return value
}
