import type { Environment, ParseResult } from '@marcbachmann/cel-js'
import { type Caller, isExact } from '../caller.ts'
import type { Exchange } from '../exchange.ts'
import { type LinearTest, openLanguage, parseExpression, type Scope, steps } from './language.ts'
import { CallerVariables, Variables } from './variables.ts'

/** A CEL expression of the configuration, asked once a request. */
export interface Expression {
  /** Whether it is true. What cannot be evaluated is not. */
  holds(exchange: Exchange): boolean
  /** Its value as text: of a text, a number or a boolean; null where it is something else, cannot be evaluated, or was rounded. */
  text(exchange: Exchange): string | null
  /** Its value as a number, which may be infinite; null where it is something else or cannot be evaluated. */
  number(exchange: Exchange): number | null
}

let languages: Readonly<Record<Scope, Environment>> | null = null
let loading: Promise<void> | null = null

/** Compiled expressions by their text: routes that inherit one share it. */
const compiled = new Map<string, Expression>()
const MOST = 10_000
/** Members of lists and maps that one evaluation goes through. */
const MOST_STEPS = 2_000

/** Loads what expressions need, once: before a configuration with one is compiled. */
export function loadExpressions(): Promise<void> {
  loading ??= load()
  return loading
}

async function load(): Promise<void> {
  const [cel, { RE2JS }] = await Promise.all([import('@marcbachmann/cel-js'), import('re2js')])
  const patterns = new Map<string, InstanceType<typeof RE2JS>>()
  const linear: LinearTest = (text, pattern) => {
    let regex = patterns.get(pattern)
    if (regex === undefined) {
      // Only what configurations say comes here.
      if (patterns.size >= MOST) patterns.clear()
      patterns.set(pattern, (regex = RE2JS.compile(pattern)))
    }
    return regex.test(text)
  }
  languages = {
    request: openLanguage(cel, 'request', linear),
    caller: openLanguage(cel, 'caller', linear),
  }
}

/** @throws Error where it does not compile or nothing was loaded: the loader compiled it before, so that is a bug */
export function compileExpression(text: string): Expression {
  const known = compiled.get(text)
  if (known !== undefined) return known
  if (compiled.size >= MOST) compiled.clear()
  const expression = new CelExpression(program(text, 'request'))
  compiled.set(text, expression)
  return expression
}

/**
 * Compiles what is asked of a caller, once a credential.
 *
 * @throws Error as `compileExpression`
 */
export function compileCallerCondition(text: string): (caller: Caller) => boolean {
  const compiled = program(text, 'caller')
  return caller => evaluate(compiled, new CallerVariables(caller)) === true
}

function program(text: string, scope: Scope): ParseResult {
  if (languages === null) throw new Error('expressions were not loaded')
  const parsed = parseExpression(languages[scope], text)
  if ('message' in parsed) throw new Error(`${text}: ${parsed.message}`)
  return parsed.program
}

/** The value; undefined where it cannot be evaluated. */
function evaluate(compiled: ParseResult, variables: CallerVariables): unknown {
  // What fails says so by an exception, of which only that it came is read: without a stack it costs a quarter.
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  steps.left = MOST_STEPS
  try {
    return compiled(variables)
  } catch {
    return undefined
  } finally {
    Error.stackTraceLimit = limit
  }
}

class CelExpression implements Expression {
  readonly #program: ParseResult
  constructor(program: ParseResult) {
    this.#program = program
  }

  holds(exchange: Exchange): boolean {
    return evaluate(this.#program, new Variables(exchange)) === true
  }

  text(exchange: Exchange): string | null {
    const value = evaluate(this.#program, new Variables(exchange))
    switch (typeof value) {
      case 'string':
        // Half a character (JSON can say one) is no text: it cannot be written.
        return value.isWellFormed() ? value : null
      case 'number':
        return isExact(value) ? String(value) : null
      case 'bigint':
      case 'boolean':
        return String(value)
      default:
        return null
    }
  }

  number(exchange: Exchange): number | null {
    const value = evaluate(this.#program, new Variables(exchange))
    if (typeof value !== 'number' && typeof value !== 'bigint') return null
    const number = Number(value)
    return Number.isNaN(number) ? null : number
  }
}
