import { dirname, resolve } from 'node:path'
import type { ConfigError } from '../config-error.ts'
import { faultAt, pathText } from './fault.ts'
import { isConfigMap } from './merge.ts'
import type { ConfigMap, Origins } from './origin.ts'
import { Referenced } from './referenced.ts'
import { readSecretFile } from './secret-file.ts'

/** Where references find their values, and what they found. */
export interface ReferenceContext {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** False: references stay as they are written. */
  readonly secrets: boolean
  readonly origins: Origins
  readonly errors: ConfigError[]
  /** Filled with what to warn of, by the absolute path of the file: once, however often it is named. */
  readonly warnings: Map<string, string>
  /** Filled with the absolute path of every file that a reference names, there or not. */
  readonly files: Set<string>
  /** Filled with what was found, by its value: so that no error shows it. */
  readonly found: Map<string, string>
  /** Filled with the values among these that were written into the middle of a word. */
  readonly within: Set<string>
}

/**
 * Replaces every text with a reference in it, in place. After this a value is a `Referenced` wherever a reference had a
 * part in it, and `$${` is a plain `${`. The one key that means something to JavaScript is refused on the way.
 */
export function resolveReferences(root: ConfigMap, context: ReferenceContext): void {
  const seen = new Set<object>()
  const path: (string | number)[] = []
  const walk = (container: ConfigMap | unknown[]): void => {
    if (seen.has(container)) return
    seen.add(container)
    for (const key of Object.keys(container)) {
      const index = Array.isArray(container) ? Number(key) : key
      if (key === '__proto__') {
        const at = [...path, key]
        const spot = context.origins.find(root, at, 'key')
        context.errors.push(faultAt(spot, '`__proto__` cannot be a key', { path: pathText(at) }))
        continue
      }
      const value: unknown = Array.isArray(container) ? container[Number(key)] : container[key]
      if (typeof value === 'string') {
        if (!value.includes('${')) continue
        const resolved = resolveText(value, root, [...path, index], context)
        if (Array.isArray(container)) container[Number(key)] = resolved
        else container[key] = resolved
      } else if (isConfigMap(value) || Array.isArray(value)) {
        path.push(index)
        walk(value)
        path.pop()
      }
    }
  }
  walk(root)
}

function resolveText(
  written: string,
  root: ConfigMap,
  path: (string | number)[],
  context: ReferenceContext,
): string | Referenced {
  const fail = (message: string, suggestion?: string): '' => {
    const spot = context.origins.find(root, path, 'value')
    context.errors.push(faultAt(spot, message, { suggestion, path: pathText(path) }))
    return ''
  }
  const failures = context.errors.length
  let text = ''
  let template = ''
  let referenced = false
  let joined = false
  for (let at = 0; at < written.length;) {
    const open = written.indexOf('${', at)
    if (open === -1) {
      text += written.slice(at)
      template += written.slice(at)
      break
    }
    if (open > at && written[open - 1] === '$') {
      text += `${written.slice(at, open - 1)}\${`
      template += `${written.slice(at, open - 1)}\${`
      at = open + 2
      continue
    }
    text += written.slice(at, open)
    template += written.slice(at, open)
    referenced = true
    const close = written.indexOf('}', open)
    if (close === -1) {
      fail(`the reference \`${written.slice(open)}\` has no closing brace`, 'a plain `${` is written `$${`')
      break
    }
    const found = lookUp(written.slice(open + 2, close), { root, path, context, fail })
    text += found
    const brought = context.found.has(found)
    if (brought && isWithinWord(written, open, close)) context.within.add(found)
    // What is joined is shown as a whole too, where somebody quotes it.
    joined ||= brought && close - open + 1 < written.length
    template += escapeBraces(found)
    at = close + 1
  }
  if (joined && context.errors.length === failures) context.found.set(text, written)
  // Where a reference failed that is the error; what else its value would be is not looked at.
  return referenced
    ? new Referenced(text, written, context.secrets && context.errors.length === failures, template)
    : text
}

/** Whether a reference (from `open` to `close`) is joined to a letter or digit, or to another reference. */
function isWithinWord(written: string, open: number, close: number): boolean {
  return /[\w}]$/.test(written.slice(0, open)) || /^[\w$]/.test(written.slice(close + 1))
}

interface LookUp {
  readonly root: ConfigMap
  readonly path: (string | number)[]
  readonly context: ReferenceContext
  readonly fail: (message: string, suggestion?: string) => ''
}

function lookUp(inside: string, { root, path, context, fail }: LookUp): string {
  const environment = /^env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside)
  if (environment !== null) {
    const name = environment[1] ?? ''
    if (!context.secrets) return `\${${inside}}`
    const value = context.environment[name]
    if (value !== undefined && value !== '') {
      context.found.set(value, `\${env:${name}}`)
      return value
    }
    if (environment[2] !== undefined) return environment[2]
    return fail(
      `the environment variable ${name} is ${value === '' ? 'empty' : 'not set'}, and the reference has no fallback`,
      `set it, or write: \${env:${name}:-fallback}`,
    )
  }
  if (inside.startsWith('file:') && inside.length > 'file:'.length) {
    const name = inside.slice('file:'.length)
    const from = context.origins.find(root, path, 'value')?.file.path
    const file = resolve(from === undefined ? '.' : dirname(from), name)
    context.files.add(file)
    if (!context.secrets) return `\${${inside}}`
    const read = readSecretFile(file, name)
    if ('problem' in read) return fail(read.problem, read.suggestion)
    if (read.warning !== null) context.warnings.set(file, read.warning)
    context.found.set(read.value, `\${file:${name}}`)
    return read.value
  }
  return fail(
    `\`\${${inside}}\` is no reference: expected \${env:NAME}, \${env:NAME:-fallback} or \${file:/path}`,
    'a plain `${` is written `$${`',
  )
}

/** A value that stands in a template: its braces are plain ones. */
export function escapeBraces(value: string): string {
  return value.replace(/[{}]/g, brace => `{'${brace}'}`)
}
