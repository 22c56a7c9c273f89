import type { Exchange } from '../../exchange/exchange.ts'
import { type HeaderList, removeHeader, setHeader, toWire } from '../../exchange/headers.ts'
import { fillTemplate, parseTemplate, type TemplatePart } from '../../exchange/template.ts'
import type { Filter, FilterKind } from '../filter.ts'
import type { HeaderEdits, HeadersPolicy } from './schema.ts'

/**
 * Names that cannot be edited: they belong to one connection or frame a message, and the codec writes them. `host` is
 * the work of `rewrite.host`.
 */
export const FORBIDDEN_NAMES: readonly string[] = Object.freeze([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

interface Line {
  readonly name: string
  /** What stands as it is, or null where there is something to fill in. */
  readonly fixed: string | null
  readonly parts: readonly TemplatePart[]
}

/** Adds, replaces and removes header fields on the way up and on the way back. */
export const headersFilter: FilterKind<HeadersPolicy> = {
  name: 'headers',
  create(policy): Filter {
    const request = compile(policy.request)
    const response = compile(policy.response)
    return {
      name: 'headers',
      ...(request === null
        ? {}
        : {
            onRequest(exchange: Exchange) {
              request(exchange, exchange.upstreamHeaders)
              return undefined
            },
          }),
      ...(response === null ? {} : { onResponse: response }),
    }
  },
}

/** Null where there is nothing to do, so that the hook costs nothing. */
function compile(edits: HeaderEdits): ((exchange: Exchange, headers: HeaderList) => void) | null {
  const { remove } = edits
  const set = edits.set.map(line)
  const add = edits.add.map(line)
  for (const name of [...remove, ...set.map(one => one.name), ...add.map(one => one.name)])
    if (FORBIDDEN_NAMES.includes(name)) throw new Error(`the header ${name} cannot be edited`)
  if (remove.length + set.length + add.length === 0) return null
  return (exchange, headers) => {
    for (const name of remove) removeHeader(headers, name)
    for (const one of set) {
      const value = valueOf(one, exchange)
      // Whoever sets a field never wants the client's value instead.
      if (value === null) removeHeader(headers, one.name)
      else setHeader(headers, one.name, value)
    }
    for (const one of add) {
      const value = valueOf(one, exchange)
      if (value !== null) headers.push(one.name, value)
    }
  }
}

function line([name, template]: readonly [string, string]): Line {
  const parts = parseTemplate(template)
  if (parts.some(part => part.source !== null)) return { name, fixed: null, parts }
  const fixed = toWire(parts.map(part => part.text).join(''))
  if (fixed === null) throw new Error(`the value of ${name} holds a control character`)
  return { name, fixed, parts }
}

/** The value as a byte string; null where it cannot be computed, would hold a control character, or not arrive as it is. */
function valueOf(one: Line, exchange: Exchange): string | null {
  if (one.fixed !== null) return one.fixed
  const { parts } = one
  const filled = fillTemplate(parts, exchange, (value, part) => {
    // Blanks at an end are no part of a field value: `admin ` would arrive as `admin`, who is somebody else.
    if (part === parts[0] && value !== value.trimStart()) return null
    return part === parts.at(-1) && value !== value.trimEnd() ? null : value
  })
  return filled === null ? null : toWire(filled)
}
