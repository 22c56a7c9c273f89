import type { Exchange } from './exchange.ts'

/** What a placeholder stands for, as text; null where it cannot be computed. */
type Source = (exchange: Exchange) => string | null

/** One piece of a template: text that stands as it is, or what a placeholder brings. */
export interface TemplatePart {
  readonly text: string
  readonly source: Source | null
  /** Whether the value goes in as it is, since it is in the canonical form of its place already. */
  readonly asIs: boolean
}

/** What may stand in braces besides a path parameter. */
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
 * Splits a template (`/v2/{id}`, `https://{request.host}{request.uri}`) into its parts. `{name}` is a path parameter;
 * `{'{'}` and `{'}'}` are plain braces.
 *
 * @throws Error where a brace is not closed or names nothing that is known, which the loader has checked
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

function placeholder(piece: string, template: string): TemplatePart {
  const name = piece.slice(1, -1).trim()
  const known = REQUEST.get(name)
  if (known !== undefined) return { text: '', ...known }
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new Error(`${piece} in ${template} is not known`)
  return { text: '', source: ({ params }) => params?.[name] ?? null, asIs: false }
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
  encode: (value: string) => string | null,
): string | null {
  let filled = ''
  for (const part of parts) {
    if (part.source === null) {
      filled += part.text
      continue
    }
    const value = part.source(exchange)
    const encoded = value === null || part.asIs ? value : encode(value)
    if (encoded === null) return null
    filled += encoded
  }
  return filled
}
