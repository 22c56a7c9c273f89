import { keySources } from './key-schema.ts'
import { durationOrOff } from './quantities.ts'
import { oneOf, percentOrOff, text, Wrong } from './scalars.ts'
import { option, required, section, shorter } from './shape.ts'
import { expandLoadBalance } from './shorthands.ts'

const policy = oneOf(['least-request', 'round-robin', 'peak-ewma', 'random', 'ring-hash', 'maglev'])

/** Where something is: what the platform calls a zone. */
export const zone = text('the name of a zone', {}, '', (value, shown) =>
  /^[\x21-\x7e]{1,63}$/.test(value) ? value : new Wrong(`${shown} is no name of a zone`),
)

/** How an endpoint of an upstream is chosen. */
export const loadBalance = shorter(
  expandLoadBalance,
  section('load balancing', {
    policy: required(
      policy,
      '`least-request` takes the better of two, `peak-ewma` by what they take; `ring-hash` and `maglev` keep a key at one endpoint',
    ),
    by: option(keySources, '`ring-hash` and `maglev`: what is hashed; the first that the request has'),
    zone: option(zone, 'where this process is: endpoints of its zone are preferred while enough are healthy'),
    slowStart: option(
      durationOrOff,
      'how long a new or recovered endpoint takes to come up to its full share',
      false,
    ),
    panicPercent: option(
      percentOrOff,
      'with fewer healthy endpoints than this, and at least four in all, health is ignored',
      50,
    ),
  }),
  [policy],
)
