import { z } from 'zod'
import type { FaultPolicy } from '../../snapshot/policies.ts'
import { respond } from './action-schema.ts'
import { cookieName } from './key-schema.ts'
import { fieldName } from './match-schema.ts'
import { durationOrOff } from './quantities.ts'
import { anyText, flag, integer, percent, referenceName } from './scalars.ts'
import { byFieldName, option, orOff, required, section, shorter } from './shape.ts'
import { expandAffinity, expandUpstream } from './shorthands.ts'

/** A copy of some requests for another upstream. */
export const mirror = shorter(
  expandUpstream,
  orOff(
    section('a mirror', {
      upstream: required(referenceName, 'the upstream that gets copies, and whose answers are dropped'),
      percent: option(percent, 'the share of the requests that is copied', 100),
    }),
  ),
  [referenceName, { const: false }],
)

const conditionMap = byFieldName(fieldName, anyText).transform((given, context): FaultPolicy['header'] => {
  const [only, second] = Object.entries(given)
  if (only !== undefined && second === undefined) return { name: only[0], value: only[1] }
  context.issues.push({ code: 'custom', input: given, message: 'expected one header with its value' })
  return z.NEVER
})
const condition = z.union([
  fieldName.transform((name): FaultPolicy['header'] => ({ name, value: null })),
  conditionMap,
])

/** Trouble made on purpose. */
export const fault = orOff(
  section('a fault', {
    percent: option(percent, 'the share of the requests that it meets', 100),
    delay: option(durationOrOff, 'how long a request waits before it goes on'),
    status: option(integer(400, 599), 'answers with this status instead of asking the upstream'),
    abort: option(flag, 'closes the connection instead of answering', false),
    header: option(condition, 'only requests with this header: its name, or `{ name: value }`'),
  }),
)

/** A cookie of ours that keeps a client at one endpoint. */
export const affinity = shorter(
  expandAffinity,
  orOff(
    section('affinity', {
      cookie: option(cookieName, 'the name of the cookie', 'og'),
      maxAge: option(durationOrOff, "how long it lives; `off`: as long as the browser's session", false),
    }),
  ),
  [{ type: 'boolean' }],
)

/** What is done instead of answering with an error that the upstream caused. */
export const fallback = shorter(
  expandUpstream,
  orOff(
    section('a fallback', {
      upstream: option(referenceName, 'the upstream that is asked instead, the same as the text alone'),
      respond: option(respond, 'the answer that is given instead'),
    }).transform((given, context) => {
      if ((given.upstream === undefined) !== (given.respond === undefined)) return given
      const message = 'expected one of `upstream` and `respond`'
      context.issues.push({ code: 'custom', input: given, message })
      return z.NEVER
    }),
  ),
  [referenceName, { const: false }],
)
