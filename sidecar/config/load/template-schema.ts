import { text, Wrong } from './scalars.ts'
import { parseTemplate } from './template.ts'

/** Text with `{...}` in it, filled for each request. What may stand in the braces is checked where the route is known. */
export const template = text('text', { format: 'template' }, '', (value, shown) => {
  const parsed = parseTemplate(value)
  return typeof parsed === 'string' ? new Wrong(`${shown}: ${parsed}`) : value
})

/** The same for the value of a header. */
export const fieldTemplate = text('text', { format: 'template' }, '', (value, shown) => {
  const parsed = parseTemplate(value)
  if (typeof parsed === 'string') return new Wrong(`${shown}: ${parsed}`)
  // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(value)
    ? new Wrong('control characters cannot stand in a header')
    : value
})
