import { z } from 'zod'
import type { KeySource } from '../../exchange/request-key.ts'
import { valueExpression } from './expression-schema.ts'
import { countedHeader } from './field-schema.ts'
import { TOKEN } from './match-schema.ts'
import { oneOf, text, Wrong } from './scalars.ts'
import { list, option, section } from './shape.ts'

/** The name of a cookie (RFC 6265 section 4.1.1: a token). */
export const cookieName = text('a cookie name', { pattern: TOKEN.source }, 'x', (value, shown) =>
  TOKEN.test(value) ? value : new Wrong(`${shown} is no cookie name`),
)
const queryName = text('the name of a query parameter', {}, 'x', (value, shown) =>
  value === '' ? new Wrong(`${shown} is no name of a query parameter`) : value,
)
const parameterName = text('the name of a path parameter', {}, 'x', (value, shown) =>
  /^[A-Za-z_]\w*$/.test(value) ? value : new Wrong(`${shown} is no name of a path parameter`),
)

/** A claim, or the way into one: names with dots between them. */
export const claimPath = text('a claim', {}, 'sub', (value, shown) =>
  // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
  value === '' || value.length > 128 || /[\x00-\x1f\x7f]/.test(value)
    ? new Wrong(`${shown} is no name of a claim`)
    : value,
)

const word = oneOf(['consumer', 'group', 'address', 'all', 'path']).transform((kind): KeySource => ({
  kind,
}))

const vendor = text('a vendor of media types', { samples: ['vnd.shop'] }, 'vnd.x', (value, shown) =>
  /^(vnd|prs|x)\.[a-z0-9][a-z0-9._-]{0,62}$/i.test(value)
    ? value.toLowerCase()
    : new Wrong(`expected a vendor of media types such as \`vnd.shop\`, got ${shown}`),
)

const named = section('a key of requests', {
  header: option(countedHeader, 'the value of a header'),
  cookie: option(cookieName, 'the value of a cookie'),
  query: option(queryName, 'the value of a query parameter'),
  param: option(parameterName, 'the value of a path parameter'),
  claim: option(claimPath, 'a claim of the caller; `a.b` goes into a claim that is a map'),
  accept: option(
    vendor,
    'the version in the media type that is asked for: `v2` of `application/vnd.shop.v2+json` for `vnd.shop`',
  ),
  cel: option(valueExpression, 'the value of an expression'),
}).transform((given, context): KeySource => {
  const found: KeySource[] = []
  for (const kind of ['header', 'cookie', 'query', 'param', 'claim', 'accept', 'cel'] as const) {
    const name = given[kind]
    if (name !== undefined) found.push({ kind, name })
  }
  const [only, second] = found
  if (only !== undefined && second === undefined) return only
  const message =
    'expected one of `header`, `cookie`, `query`, `param`, `claim`, `accept` and `cel`; several keys are a list'
  context.issues.push({ code: 'custom', input: given, message })
  return z.NEVER
})

/** What a thing is split, hashed or limited by: one key of a request, or several of which the first that is there counts. */
export const keySources = list(z.union([word, named]), 16)

/** What lets a request name something itself: it has to be written into the request. */
export const namingKey = section('a key that names', {
  header: option(countedHeader, 'the value of a header'),
  cookie: option(cookieName, 'the value of a cookie'),
}).transform((given, context): KeySource => {
  const { header, cookie } = given
  if (header !== undefined && cookie === undefined) return { kind: 'header', name: header }
  if (cookie !== undefined && header === undefined) return { kind: 'cookie', name: cookie }
  context.issues.push({ code: 'custom', input: given, message: 'expected one of `header` and `cookie`' })
  return z.NEVER
})
