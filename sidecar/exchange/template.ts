import type { Exchange } from './exchange.ts'
import { compileExpression } from './expression/expression.ts'

/** What a placeholder stands for, as text; null where it cannot be computed. */
type Source = (exchange: Exchange) => string | null

/** One piece of a template: text that stands as it is, or what a placeholder brings. */
export interface TemplatePart {
  readonly text: string
  readonly source: Source | null
  /** Whether the value goes in as it is, since it is in the canonical form of its place already. */
  readonly asIs: boolean
  /** Whether it is computed: such a value is one segment of a path, whatever it holds. */
  readonly computed?: true
}

/** What may stand in braces besides a path parameter and an expression. */
const REQUEST: ReadonlyMap<string, { readonly source: Source; readonly asIs: boolean }> = new Map([
  // Empty only where an HTTP/1.0 client named none.
  ['request.host', { source: ({ request }) => request?.host || null, asIs: true }],
  ['request.path', { source: ({ request }) => request?.path ?? null, asIs: true }],
  ['request.query', { source: ({ request }) => request?.query ?? null, asIs: true }],
  [
    'request.uri',
    {
      source: ({ request }) =>
        request === null ? null : request.hasQuery ? `${request.path}?${request.query}` : request.path,
      asIs: true,
    },
  ],
  ['request.method', { source: ({ request }) => request?.method ?? null, asIs: false }],
  ['request.scheme', { source: ({ request }) => request?.scheme ?? null, asIs: true }],
] satisfies [string, { source: Source; asIs: boolean }][])

/**
 * Splits a template (`/v2/{id}`, `https://{request.host}{request.uri}`) into its parts. `{name}` is a path parameter, what is
 * neither that nor a part of the request an expression;
 * `{'{'}` and `{'}'}` are plain braces.
 *
 * @throws Error where a brace is not closed or holds no expression, which the loader has checked
 */
export function parseTemplate(template: string): readonly TemplatePart[] {
  const parts: TemplatePart[] = []
  for (const [piece] of template.matchAll(/\{'[{}]'\}|\{[^{}]*\}|[^{}]+|[{}]/g)) {
    if (piece === "{'{'}" || piece === "{'}'}")
      parts.push({ text: piece.charAt(2), source: null, asIs: true })
    else if (!/^[{}]/.test(piece)) parts.push({ text: piece, source: null, asIs: true })
    else parts.push(placeholder(piece, template))
  }
  return parts
}

const PARAMETER = /^[A-Za-z_]\w*$/

/** Whether a template holds an expression: what evaluates them has to be loaded before it is read. */
export function isComputed(template: string): boolean {
  return [...template.matchAll(/\{'[{}]'\}|\{([^{}]*)\}/g)].some(([, inner]) => {
    const name = inner?.trim()
    return name !== undefined && !REQUEST.has(name) && !PARAMETER.test(name)
  })
}

function placeholder(piece: string, template: string): TemplatePart {
  const name = piece.slice(1, -1).trim()
  const known = REQUEST.get(name)
  if (known !== undefined) return { text: '', ...known }
  if (PARAMETER.test(name)) return { text: '', source: ({ params }) => params?.[name] ?? null, asIs: false }
  if (!piece.endsWith('}') || name === '') throw new Error(`${template} is no template`)
  const expression = compileExpression(name)
  return { text: '', source: exchange => expression.text(exchange), asIs: false, computed: true }
}

/**
 * Fills a template.
 *
 * @param encode makes a value fit for its place; null where it cannot
 * @returns null where a value cannot be computed
 */
export function fillTemplate(
  parts: readonly TemplatePart[],
  exchange: Exchange,
  encode: (value: string, part: TemplatePart) => string | null,
): string | null {
  let filled = ''
  for (const part of parts) {
    if (part.source === null) {
      filled += part.text
      continue
    }
    const value = part.source(exchange)
    const encoded = value === null || part.asIs ? value : encode(value, part)
    if (encoded === null) return null
    filled += encoded
  }
  return filled
}
