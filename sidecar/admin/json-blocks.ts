import { isSecretField, REDACTED, redactUrls } from '../telemetry/redaction.ts'

const DEPTH = 6

/**
 * A value as indented JSON, in pieces small enough to be written between requests. A second guard besides the one that
 * made the value: what stands under the name of a secret is not shown, also where name and value are a pair or members of
 * a map, nor is the password of a URL.
 *
 * @param show what becomes of each text in it
 */
export function* jsonBlocks(
  value: unknown,
  show: (text: string) => string = text => text,
  indent = '',
  depth = 0,
): Generator<string> {
  if (typeof value === 'string') {
    yield JSON.stringify(redactUrls(show(value)))
    return
  }
  if (value === null || typeof value !== 'object' || depth === DEPTH) {
    const hide = (name: string, member: unknown): unknown => {
      const hidden = hideSecret(name, member)
      return typeof hidden === 'string' ? redactUrls(show(hidden)) : hidden
    }
    yield JSON.stringify(value, hide) ?? 'null'
    return
  }
  const inner = `${indent}  `
  let first = true
  if (Array.isArray(value)) {
    // An array's members are whatever they are; each is looked at by itself.
    const members: unknown[] = hidePairs(value)
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
  for (const [name, member] of Object.entries(hideNamed(value))) {
    if (member === undefined || typeof member === 'function') continue
    yield `${first ? '' : ','}\n${inner}${JSON.stringify(name)}: `
    yield* jsonBlocks(hideSecret(name, member), show, inner, depth + 1)
    first = false
  }
  yield first ? '}' : `\n${indent}}`
}

function hideSecret(name: string, value: unknown): unknown {
  const shown = value === null || typeof value === 'boolean' || typeof value === 'number'
  if (!shown && isSecretField(name)) return REDACTED
  if (Array.isArray(value)) return hidePairs(value)
  return typeof value === 'object' && value !== null ? hideNamed(value) : value
}

/** A list of names with their values, such as headers to set. */
function hidePairs(list: readonly unknown[]): unknown[] {
  const pairs = list.every(one => Array.isArray(one) && one.length === 2 && typeof one[0] === 'string')
  return list.map((one: unknown) => {
    const [name, value]: unknown[] = pairs && Array.isArray(one) ? one : []
    return typeof name === 'string' && isSecretField(name) && value !== null ? [name, REDACTED] : one
  })
}

/** A name with its value, or with what its value is compared to. */
function hideNamed(map: object): object {
  if (!('name' in map) || typeof map.name !== 'string' || !isSecretField(map.name)) return map
  if ('value' in map) return { ...map, value: REDACTED }
  return 'tests' in map ? { ...map, tests: REDACTED } : map
}
