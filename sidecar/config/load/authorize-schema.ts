import type { z } from 'zod'
import { addressRange } from './address-range.ts'
import { condition } from './expression-schema.ts'
import { anyText, flag, referenceName, text, Wrong } from './scalars.ts'
import { list, option, orOff, section, shorter } from './shape.ts'
import { expandAuthorize } from './shorthands.ts'
import { peerName } from './tls-schema.ts'

/** RFC 6749 section 3.3. */
const scope = text('a scope', { samples: ['orders:read'] }, 'scope', (value, shown) =>
  /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value)
    ? value
    : new Wrong(
        `${shown} is no scope: one has no spaces and no quotes`,
        /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)+$/.test(value)
          ? `write: [${value.split(' ').join(', ')}]`
          : undefined,
      ),
)

/** What has to hold of who is calling. */
export const authorize = shorter(
  expandAuthorize,
  orOff(
    section(
      'an authorization',
      {
        allow: option(
          list(addressRange, 10_000),
          "the client's address is in one of these ranges, such as `10.0.0.0/8`",
        ),
        deny: option(list(addressRange, 10_000), "the client's address is in none of these ranges"),
        peers: option(
          list(peerName, 10_000),
          'one of these says the certificate of the connection: exact SPIFFE IDs or DNS names',
        ),
        groups: option(list(anyText, 1_000), 'the caller is in one of these'),
        scopes: option(list(scope, 1_000), 'the credential has all of these'),
        when: option(condition, 'this expression is true, the same as the text alone'),
        external: option(referenceName, 'a service of `authorization.external` allows it as well'),
        dryRun: option(
          flag,
          'what stands beside it only reports what it would refuse; alone: what is inherited',
          false,
        ),
      },
      [],
    ),
  ),
  [condition],
)
/** As it is written, after the schema has read it. */
export type WrittenAuthorize = z.infer<typeof authorize>
