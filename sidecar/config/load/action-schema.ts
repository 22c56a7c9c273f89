import { z } from 'zod'
import { keySources, namingKey } from './key-schema.ts'
import { editableField } from './match-schema.ts'
import { anyText, integer, NAME_PATTERN, referenceName } from './scalars.ts'
import { byFieldName, byName, option, plainValue, required, section } from './shape.ts'
import { template } from './template-schema.ts'

const redirect = section('a redirect', {
  to: required(
    template,
    'where to: a path or a URL; `{id}` is a path parameter, `{request.uri}` path and query',
  ),
  status: option(integer(300, 399), 'the status', 308),
})

/** An answer of our own: of a route, or of a fallback. */
export const respond = section('a response', {
  status: option(integer(200, 599), 'the status', 200),
  headers: option(byFieldName(editableField, anyText), 'header fields'),
  body: option(z.unknown().transform(plainValue), 'text as it is, anything else as JSON'),
})
/** An answer as it is written, after the schema has read it. */
export type WrittenRespond = z.infer<typeof respond>

const split = section('a split', {
  by: option(
    keySources,
    'what decides the side, so that a caller stays on it; the first that the request has',
    'consumer',
  ),
  to: required(
    byName(z.string().regex(new RegExp(NAME_PATTERN)), integer(0, 1_000_000)),
    'upstreams with their weights; raising a weight moves callers only towards it',
  ),
  pin: option(namingKey, 'lets a request name its side'),
})

/** Actions that later versions know. */
export const LATER_ACTIONS = ['versions', 'aggregate']

/** The actions, of which a route or a listener has one. */
export const actionShape = {
  upstream: option(referenceName, 'the upstream that answers'),
  split: option(split, 'several upstreams that share the requests'),
  redirect: option(redirect, 'sends the client elsewhere'),
  respond: option(respond, 'answers at once'),
}
