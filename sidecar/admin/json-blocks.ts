import { isSecretField, REDACTED } from '../telemetry/redaction.ts'

const DEPTH = 6

type Show = (text: string) => string
const same: Show = text => text

/**
 * A value as indented JSON, in pieces small enough to be written between requests. A second guard besides the one that
 * made the value: what stands under the name of a secret is not shown.
 *
 * @param show what becomes of each text in it
 */
export function* jsonBlocks(value: unknown, show: Show = same, indent = '', depth = 0): Generator<string> {
  if (value === null || typeof value !== 'object' || depth === DEPTH) {
    yield JSON.stringify(value, (name, member: unknown) => hideSecret(name, member, show)) ?? 'null'
    return
  }
  const inner = `${indent}  `
  let first = true
  if (Array.isArray(value)) {
    // An array's members are whatever they are; each is looked at by itself.
    const members: unknown[] = value
    yield '['
    for (const member of members) {
      yield `${first ? '' : ','}\n${inner}`
      yield* jsonBlocks(member ?? null, show, inner, depth + 1)
      first = false
    }
    yield first ? ']' : `\n${indent}]`
    return
  }
  yield '{'
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined || typeof member === 'function') continue
    yield `${first ? '' : ','}\n${inner}${JSON.stringify(name)}: `
    yield* jsonBlocks(hideSecret(name, member), show, inner, depth + 1)
    first = false
  }
  yield first ? '}' : `\n${indent}}`
}

function hideSecret(name: string, value: unknown, show: Show = same): unknown {
  const shown = value === null || typeof value === 'boolean' || typeof value === 'number'
  if (!shown && isSecretField(name)) return REDACTED
  return typeof value === 'string' ? show(value) : value
}
