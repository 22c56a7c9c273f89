/** A part of a template: text as it is, or what stands in braces. */
export type TemplatePart = { readonly text: string } | { readonly expression: string }

/**
 * Takes a template apart. `{name}` is filled for each request; a plain brace is `{'{'}`.
 * @returns the parts, or text that says what is wrong
 */
export function parseTemplate(template: string): TemplatePart[] | string {
  const parts: TemplatePart[] = []
  let text = ''
  for (let at = 0; at < template.length;) {
    const character = template[at]
    if (character === '}') return "a closing brace without an opening one; a plain brace is {'}'}"
    if (character !== '{') {
      text += character
      at++
      continue
    }
    const literal = /^\{'([{}])'\}/.exec(template.slice(at, at + 5))
    if (literal !== null) {
      text += literal[1]
      at += 5
      continue
    }
    const close = template.indexOf('}', at)
    if (close === -1) return "a brace is not closed; a plain brace is {'{'}"
    const expression = template.slice(at + 1, close).trim()
    if (expression === '') return "nothing stands in the braces; a plain brace is {'{'}"
    if (text !== '') parts.push({ text })
    text = ''
    parts.push({ expression })
    at = close + 1
  }
  if (text !== '') parts.push({ text })
  return parts
}

/** What of the request itself may stand in a template. */
export const REQUEST_VALUES = [
  'request.method',
  'request.scheme',
  'request.host',
  'request.path',
  'request.uri',
  'request.query',
]

/** The expressions of a template that is known to be well formed. */
export function templateExpressions(template: string): string[] {
  const parts = parseTemplate(template)
  return typeof parts === 'string'
    ? []
    : parts.flatMap(part => ('expression' in part ? [part.expression] : []))
}
