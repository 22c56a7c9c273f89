import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { AUDIENCE, ISSUER, SigningKey } from '../../test/harness/tokens.ts'
import type { Contestant } from '../contestant.ts'
import { missingIn, plainConfiguration, startOutrigger, THIS_TREE } from '../contestants/outrigger.ts'
import { cpuTable } from '../cpu-table.ts'
import { rounds } from '../rounds.ts'
import { assemble, dismiss, type Row } from '../row.ts'

const PLAIN = 'Outrigger, plain'

/**
 * P2: what guarding a route costs: a token that was seen before (ES256), a limit of its caller, a breaker and a retry at
 * hand, metrics; beside the same route without them. Both are sent the token.
 */
export const guarded: Row = {
  name: 'p2',
  run: async bench => {
    const key = new SigningKey('bench')
    const field = await assemble(bench, [contestant(PLAIN, null), contestant('Outrigger, guarded', key)])
    try {
      const series = await rounds(bench, field, { authorization: `Bearer ${await key.sign()}` })
      const title =
        'P2 JWT (ES256, seen before), a limit of the caller, breaker and retry; 64 kept connections, one core'
      return cpuTable(title, series, bench.options, { reference: PLAIN, notes: field.notes })
    } finally {
      await dismiss(field)
    }
  },
}

function contestant(name: string, key: SigningKey | null): Contestant {
  return {
    name,
    missing: () => missingIn(THIS_TREE),
    start: ({ folder, origin }) => {
      const keys = path.join(folder, 'keys.json')
      if (key !== null) writeFileSync(keys, JSON.stringify({ keys: [key.jwk] }))
      const plain = plainConfiguration(origin)
      const config = key === null ? plain : guard(plain, keys)
      return startOutrigger({ name, folder, config })
    },
  }
}

/** The configuration with a token, a limit and a retry on its route. @param keys the file of the key set */
export function guard(configuration: string, keys: string): string {
  return `${configuration
    .replace(
      '    upstream: origin\n',
      `    upstream: origin
    authenticate: { jwt: main }
    rateLimit: { requests: 1000000000, per: minute }
    retry: 2
`,
    )
    .replace(/origin: \{ (url: "[^"]*") \}/, 'origin: { $1, circuitBreaker: on }')}
authentication:
  jwt:
    main: { issuer: ${ISSUER}, audiences: ${AUDIENCE}, jwks: { file: "${keys}" } }
consumers:
  - { name: alice, jwt: { provider: main, subject: alice } }
`
}
