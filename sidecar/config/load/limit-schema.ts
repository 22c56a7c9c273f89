import { z } from 'zod'
import type { LimitHeaders } from '../../filters/rate-limit/schema.ts'
import { numberExpression } from './expression-schema.ts'
import { keySources } from './key-schema.ts'
import { duration, parseDuration } from './quantities.ts'
import {
  flag,
  integer,
  integerOrOff,
  isOff,
  nameText,
  oneOf,
  referenceName,
  scalar,
  text,
  Wrong,
} from './scalars.ts'
import { byName, list, option, orOff, required, section, shorter } from './shape.ts'
import { expandRateLimit } from './shorthands.ts'
import { fileName } from './tls-schema.ts'

/** Stretches with a name, in milliseconds. Those of the calendar have this length where a bucket refills. */
export const UNITS = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
  month: 30 * 86_400_000,
  year: 365 * 86_400_000,
} as const

/** A stretch of time, as it is written and how long it is. */
export interface WrittenPer {
  readonly text: string
  readonly window: number
}

const per = scalar<WrittenPer>(
  { anyOf: [{ enum: Object.keys(UNITS) }, { type: 'string', pattern: '^\\d+(ms|s|m|h|d)$' }] },
  { text: 'minute', window: UNITS.minute },
  (value, shown) => {
    const unit = typeof value === 'string' && Object.hasOwn(UNITS, value) ? value : null
    if (unit !== null) return { text: unit, window: UNITS[unit as keyof typeof UNITS] }
    const names = Object.keys(UNITS)
    if (typeof value === 'string' && /^[a-z]+$/i.test(value)) {
      const near = names.find(name => value.toLowerCase().replace(/s$/, '') === name)
      const known = names.map(name => `\`${name}\``).join(', ')
      return new Wrong(`expected ${known} or a duration, got ${shown}`, near && `write: ${near}`)
    }
    const window = parseDuration(value, shown)
    return window instanceof Wrong ? window : { text: String(value), window }
  },
)

const MOST = 1_000_000_000

const MOST_COST = 1_000_000

const cost = z.union([
  integer(1, MOST_COST),
  section('what a request counts for', {
    cel: required(numberExpression, 'the expression that says it; rounded up, at least 1'),
    max: required(integer(1, MOST_COST), 'the most, and what counts where the expression has no number'),
  }),
])

const limit = section('a limit', {
  requests: option(integer(1, MOST), 'how many requests'),
  per: option(
    per,
    'in any stretch of this length: `second`, `minute`, `hour` or a duration; of the calendar in UTC: `day`, `week`, `month`, `year`',
  ),
  concurrent: option(integer(1, MOST), 'instead of both: how many at one moment, in each process'),
  by: option(keySources, 'whom or what it counts; several are one key together', 'consumer'),
  before: option(
    oneOf(['authenticate']),
    'counts in front of authentication, also what is then refused with 401 or 403; needs a `by` that asks nothing of the caller',
  ),
  burst: option(
    integer(1, MOST),
    'a bucket that holds so many and gets `requests` back in each `per`, instead of a window',
  ),
  cost: option(cost, 'what one request counts for', 1),
  store: option(
    referenceName,
    'where it is counted: a name in `stores`, or `memory` for this process. Default: the store `default`, if there is one',
  ),
  lease: option(
    integer(2, 1_000_000),
    'how much of it each process takes from the store at a time, so that not every request asks; default: what the request needs',
  ),
  plans: option(
    byName(nameText, integerOrOff(1, MOST)),
    'other numbers for callers of a plan; `off`: no limit for them',
  ),
  name: option(nameText, 'how it is called. Default: what it is, such as `consumer-minute`'),
})

const limits = list(limit, 1000)

const limitHeaders = scalar<LimitHeaders>(
  { anyOf: [{ enum: ['ietf', 'kong'] }, { const: false }] },
  'ietf',
  (value, shown) => {
    if (isOff(value)) return 'off'
    return value === 'ietf' || value === 'kong'
      ? value
      : new Wrong(`expected \`ietf\`, \`kong\` or \`off\`, got ${shown}`)
  },
)

/** The limits of `defaults`, a listener or a route. */
export const rateLimit = shorter(
  expandRateLimit,
  orOff(
    section('limits of requests', {
      limits: option(limits, 'all of them have to allow a request, beside those of the levels above'),
      headers: option(
        limitHeaders,
        'what tells a client how far it is: `RateLimit` and `RateLimit-Policy`, the fields of Kong, or nothing',
        'ietf',
      ),
      dryRun: option(
        flag,
        'what stands beside it only reports what it would refuse; alone: what is inherited and what callers bring',
        false,
      ),
    }),
  ),
  [limit, z.array(limit)],
)
/** As they are written, after the schema has read them. */
export type WrittenRateLimit = z.infer<typeof rateLimit>
/** One limit as it is written, after the schema has read it. */
export type WrittenLimit = z.infer<typeof limit>

/** The limits of a plan or a consumer. */
export const callerLimits = shorter(
  expandRateLimit,
  orOff(section('limits of a caller', { limits: required(limits, 'all of them have to allow a request') })),
  [limit, z.array(limit)],
)
/** As they are written, after the schema has read them. */
export type WrittenCallerLimits = z.infer<typeof callerLimits>

const redisUrl = text(
  'the address of a Redis',
  { samples: ['redis://redis:6379', 'rediss://user:password@redis:6380/0'] },
  'redis://127.0.0.1',
  (value, shown) => {
    const url = /^rediss?:\/\//.test(value) ? URL.parse(value) : null
    if (url !== null && url.hostname !== '' && /^(\/\d{0,5})?$/.test(url.pathname)) return value
    return new Wrong(
      `expected an address such as \`redis://redis:6379\` (\`rediss://\` for TLS), got ${shown}`,
    )
  },
)

const store = section('a store', {
  redis: required(
    list(redisUrl, 100),
    'its address, with the user where it has one; of a cluster some nodes',
  ),
  cluster: option(flag, 'whether the addresses are nodes of a Redis Cluster', false),
  tls: option(
    section('TLS of a store', {
      ca: option(fileName, "authorities that sign its certificate, PEM; the system's where none is given"),
      cert: option(fileName, 'our certificate, PEM, where it asks for one'),
      key: option(fileName, 'its private key, PEM'),
    }),
    'with `rediss://`: whom to believe, and who we are',
  ),
  timeout: option(duration, 'how long a request waits for it', '20ms'),
  onError: option(
    oneOf(['local', 'allow', 'deny']),
    'what holds while it does not answer: a count in each process, no limit, or 503 for every request',
    'local',
  ),
})

/** What several processes share. */
export const stores = byName(nameText, store)
/** As they are written, after the schema has read them. */
export type WrittenStores = z.infer<typeof stores>
