import type * as library from '@marcbachmann/cel-js'
import type { ASTNode, Environment, ParseResult } from '@marcbachmann/cel-js'
import { declareCallerVariables, declareVariables } from './variables.ts'

/** The library; loaded where a configuration has expressions, and nowhere else. */
export type Cel = Pick<typeof library, 'Environment'>

/** Whether a regular expression is found in a text, in time that grows with the text only. */
export type LinearTest = (text: string, pattern: string) => boolean

/** An expression that can be asked. */
export interface Parsed {
  readonly program: ParseResult
  /** Such as `bool`, `string`, `dyn`. */
  readonly type: string
  /** Regular expressions in it, with where they are written. */
  readonly patterns: readonly { readonly pattern: string; readonly at: number }[]
}

/** Why a text is no expression. */
export interface Misfit {
  readonly message: string
  /** The character where it is wrong. */
  readonly at: number
  /** Names that could have been meant. */
  readonly names: readonly string[]
  /** What stands at that place instead. */
  readonly given: string
}

/** What an expression may hold: it is written by hand. */
const LIMITS = { maxAstNodes: 2000, maxDepth: 64, maxListElements: 1000, maxMapEntries: 100 }

/** The name under which the linear `matches` is known; the library's own one can be made slow by hostile text. */
const LINEAR = 'matchesLinear'

/** The name under which that is known which counts what a macro goes through. */
const COUNTED = 'counted'
const MACROS: ReadonlySet<unknown> = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])

/**
 * How many members of lists and maps an evaluation may still go through, macros inside of macros included: what a client
 * sends would otherwise decide how long that takes. Set before each.
 */
export const steps = { left: 0 }

/** Passes on what a macro goes through, or fails the evaluation where that is too much. */
function counted(range: unknown): unknown {
  if (typeof range !== 'object' || range === null) return range
  steps.left -= Array.isArray(range)
    ? range.length
    : range instanceof Map || range instanceof Set
      ? range.size
      : Object.keys(range).length
  if (steps.left < 0) throw new Error('too many steps')
  return range
}

/** Fields by variable, for what could have been meant. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  consumer: ['name', 'groups', 'plan'],
  auth: ['method', 'provider', 'scopes'],
  peer: ['address', 'spiffe', 'dns'],
  request: ['method', 'scheme', 'host', 'path', 'uri', 'params', 'query', 'headers', 'size'],
  route: ['name'],
}
const VARIABLES = [...Object.keys(FIELDS), 'claims']

/** What an expression is about: a request, or a caller whatever is asked for. */
export type Scope = 'request' | 'caller'

/** The language of expressions: CEL with our variables. */
export function openLanguage(cel: Cel, scope: Scope, linear: LinearTest): Environment {
  const declare = scope === 'request' ? declareVariables : declareCallerVariables
  const environment = declare(new cel.Environment({ limits: LIMITS }))
  return environment
    .registerFunction(`string.${LINEAR}(string): bool`, linear)
    .registerFunction(`dyn.${COUNTED}(): dyn`, counted)
}

/** Reads an expression and checks the types of what it says. */
export function parseExpression(environment: Environment, text: string): Parsed | Misfit {
  let program: ParseResult
  try {
    program = environment.parse(text)
  } catch (error) {
    return misfit(environment, error, text)
  }
  const { valid, type = 'dyn', error } = program.check()
  if (!valid) return misfit(environment, error, text)
  const capital = headerInCapitals(program.ast)
  if (capital !== null) return capital
  const calls = methodCalls(program.ast)
  if (calls.length === 0) return { program, type, patterns: [] }
  const patterns: { pattern: string; at: number }[] = []
  let rewritten = text
  // From the end, so that what is changed moves nothing that is still to be changed.
  for (const { name, receiver, argument } of calls.toSorted((a, b) => b.receiver.end - a.receiver.end)) {
    const at = nameAfter(text, receiver.end)
    if (name !== 'matches') {
      rewritten = `${rewritten.slice(0, at)}${COUNTED}().${rewritten.slice(at)}`
      continue
    }
    if (argument?.op !== 'value' || typeof argument.args !== 'string') {
      const message = '`matches` takes a regular expression that is written here, not one that is computed'
      return { message, at: argument?.start ?? receiver.end, names: [], given: '' }
    }
    rewritten = `${rewritten.slice(0, at)}${LINEAR}${rewritten.slice(at + 'matches'.length)}`
    patterns.push({ pattern: argument.args, at: argument.start })
  }
  const bounded = environment.parse(rewritten)
  const checked = bounded.check()
  if (!checked.valid) return misfit(environment, checked.error, text)
  return { program: bounded, type, patterns }
}

/**
 * A header that no request has, since names are in lower case there: what compares it is never true, and what says that it
 * is not there is always true.
 */
function headerInCapitals(node: unknown): Misfit | null {
  if (Array.isArray(node)) {
    for (const one of node) {
      const found = headerInCapitals(one)
      if (found !== null) return found
    }
    return null
  }
  if (!isNode(node)) return null
  const [table, key] = node.op === 'in' ? [node.args[1], node.args[0]] : accessed(node)
  const name = isNode(key) ? (key.op === 'value' ? key.args : '') : key
  if (isHeaders(table) && typeof name === 'string' && /[A-Z]/.test(name)) {
    const message = `\`${name}\` is in no request: names of headers are in lower case here`
    const at = isNode(key) ? key.start : node.end - name.length
    return { message, at, names: [name.toLowerCase()], given: name }
  }
  return headerInCapitals(node.args)
}

/** What is read of what: `a.b` and `a["b"]`. */
function accessed(node: ASTNode): readonly [table: unknown, key: unknown] {
  return node.op === '.' || node.op === '[]' ? [node.args[0], node.args[1]] : [null, null]
}

function isHeaders(node: unknown): boolean {
  if (!isNode(node) || node.op !== '.') return false
  const [owner, name] = node.args
  return name === 'headers' && isNode(owner) && owner.op === 'id' && owner.args === 'request'
}

interface MethodCall {
  readonly name: string
  readonly receiver: ASTNode
  readonly argument: ASTNode | undefined
}

/** The calls of `matches` and of macros that go through a list or a map. */
function methodCalls(node: ASTNode): MethodCall[] {
  const found: MethodCall[] = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const one of value) visit(one)
    else if (isNode(value)) {
      if (value.op === 'rcall' && (value.args[0] === 'matches' || MACROS.has(value.args[0])))
        found.push({ name: value.args[0], receiver: value.args[1], argument: value.args[2][0] })
      visit(value.args)
    }
  }
  visit(node)
  return found
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value
}

/** Where the name of a method stands behind what it is called on: only closing braces, spaces and remarks are between. */
function nameAfter(text: string, end: number): number {
  const between = /(?:[\s).]|\/\/[^\n]*\n)*/y
  between.lastIndex = end
  between.exec(text)
  return between.lastIndex
}

function misfit(environment: Environment, error: unknown, text: string): Misfit {
  // Both kinds of errors of the library say where and what, without the excerpt.
  const {
    summary = String(error),
    code = '',
    range,
  } = (error ?? {}) as {
    readonly summary?: string
    readonly code?: string
    readonly range?: { readonly start: number; readonly end: number }
  }
  const at = Math.min(range?.start ?? 0, text.length)
  const given = text.slice(at, range?.end ?? at)
  if (code === 'unknown_variable')
    return {
      message: `unknown variable \`${given}\``,
      at,
      names: VARIABLES.filter(name => environment.hasVariable(name)),
      given,
    }
  const owner = /(\w+)\s*\.\s*$/.exec(text.slice(0, at))?.[1] ?? ''
  const names = code === 'no_such_key' && Object.hasOwn(FIELDS, owner) ? (FIELDS[owner] ?? []) : []
  if (names.length > 0) return { message: `\`${owner}\` has no \`${given}\``, at, names, given }
  return { message: `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`, at, names: [], given }
}
