import type { z } from 'zod'
import { apiKeyDigest } from './authentication-schema.ts'
import { callerCondition } from './expression-schema.ts'
import { callerLimits } from './limit-schema.ts'
import { anyText, nameText, referenceName } from './scalars.ts'
import { list, option, required, section } from './shape.ts'
import { peerName } from './tls-schema.ts'

const subject = section('who a token names', {
  provider: option(referenceName, 'the provider; to be said where several bring claims'),
  subject: required(anyText, 'what the claim says that names the caller'),
})

const user = section('a user', {
  provider: option(referenceName, 'the provider; to be said where there are several'),
  user: required(nameText, 'the name of the user'),
})

/** Somebody who calls, and what identifies them. */
export const consumerSchema = section('a consumer', {
  name: required(nameText, 'how it is called in headers, logs and metrics'),
  groups: option(list(nameText, 1_000), 'groups that it is in'),
  plan: option(referenceName, 'its plan, whatever its groups say'),
  apiKeys: option(list(apiKeyDigest, 1_000), 'digests of its keys'),
  jwt: option(list(subject, 1_000), 'tokens that name it'),
  spiffe: option(list(peerName, 1_000), 'SPIFFE IDs that its certificate may say'),
  basic: option(list(user, 1_000), 'users that it is'),
  rateLimit: option(callerLimits, 'limits of all that it does; `off`: none of those that stand further out'),
})
/** As it is written, after the schema has read it. */
export type WrittenConsumer = z.infer<typeof consumerSchema>

/** A tier of callers. */
export const planSchema = section('a plan', {
  groups: option(list(nameText, 1_000), 'whoever is in one of these has it'),
  when: option(
    callerCondition,
    'and whoever this expression is true for, of `consumer`, `claims` and `auth`',
  ),
  rateLimit: option(callerLimits, 'limits of all that each caller in it does'),
})
/** As it is written, after the schema has read it. */
export type WrittenPlans = Readonly<Record<string, z.infer<typeof planSchema>>>
