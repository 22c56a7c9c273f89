import { createRequire } from 'node:module'
import type { Environment } from '@marcbachmann/cel-js'
import { type Cel, openLanguage, parseExpression, type Scope } from '../../exchange/expression/language.ts'
import { parseRegex } from './match-text.ts'
import { show, text, Wrong } from './scalars.ts'
import { didYouMean } from './suggestion.ts'

/** What an expression is for, and the types that serve it. */
const USES = {
  condition: { types: ['bool', 'dyn'], expected: 'a condition (true or false)' },
  number: { types: ['int', 'uint', 'double', 'dyn'], expected: 'a number' },
  value: { types: ['string', 'int', 'uint', 'double', 'bool', 'dyn'], expected: 'one value' },
} as const

const languages = new Map<Scope, Environment>()

/** Loaded where the first expression is met: it takes a tenth of the time of a load, and few configurations need it. */
function opened(scope: Scope): Environment {
  let language = languages.get(scope)
  if (language === undefined) {
    // A package of ES modules, which `require` loads synchronously; it is what its types say.
    const cel = createRequire(import.meta.url)('@marcbachmann/cel-js') as Cel
    languages.set(scope, (language = openLanguage(cel, scope, () => false)))
  }
  return language
}

/** Reads an expression; what is wrong in it is said with its place. */
export function readExpression(
  written: string,
  shown: string,
  use: keyof typeof USES,
  scope: Scope,
): string | Wrong {
  if (written.trim() === '') return new Wrong('the expression is empty')
  const parsed = parseExpression(opened(scope), written)
  // What a reference brought is never shown, and no part of it.
  const hidden = show(written) !== shown
  const unfit = new Wrong(`${shown} is no expression that can stand here`, 'write it out here to see why')
  if ('message' in parsed) {
    const { message, at, names, given } = parsed
    return hidden ? unfit : new Wrong(message, suggestion(written, given, names), { text: written, at })
  }
  for (const { pattern, at } of parsed.patterns) {
    const regex = parseRegex(pattern, show(pattern))
    if (!(regex instanceof Wrong)) continue
    return hidden ? unfit : new Wrong(regex.message, regex.suggestion, { text: written, at })
  }
  const { types, expected } = USES[use]
  if (types.some(type => type === parsed.type)) return written
  return new Wrong(`expected ${expected}, and ${shown} is ${typeText(parsed.type)}`)
}

function suggestion(written: string, given: string, names: readonly string[]): string | undefined {
  const near = didYouMean(given, names)
  if (near !== undefined) return near
  if (names.length > 0) return `expected one of: ${names.join(', ')}`
  return /(?<![=!<>])=(?!=)/.test(written) ? 'two values are compared with `==`' : undefined
}

function typeText(type: string): string {
  return /^[a-z]/.test(type) ? `of the type ${type}` : 'a whole variable'
}

/** An expression that is true or false. */
export const condition = text(
  'an expression',
  { samples: ['"admin" in consumer.groups || claims.role == "admin"'] },
  'true',
  (value, shown) => readExpression(value, shown, 'condition', 'request'),
)

/** An expression with a value that can be text. */
export const valueExpression = text(
  'an expression',
  { samples: ['claims.tenant'] },
  'request.path',
  (value, shown) => readExpression(value, shown, 'value', 'request'),
)

/** An expression with a number. */
export const numberExpression = text(
  'an expression',
  { samples: ['int(request.query.limit)'] },
  'request.size',
  (value, shown) => readExpression(value, shown, 'number', 'request'),
)

/** A condition of callers, whatever they ask for. */
export const callerCondition = text(
  'an expression',
  { samples: ['"beta" in consumer.groups || claims.tier == "gold"'] },
  'true',
  (value, shown) => readExpression(value, shown, 'condition', 'caller'),
)
