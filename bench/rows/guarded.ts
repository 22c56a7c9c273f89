import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { AUDIENCE, ISSUER, SigningKey } from '../../test/harness/tokens.ts'
import type { Contestant } from '../contestant.ts'
import { missingIn, plainConfiguration, startOutrigger, THIS_TREE } from '../contestants/outrigger.ts'
import { figure, rounds, verdict } from '../rounds.ts'
import { assemble, dismiss, type Row } from '../row.ts'
import { digits, ratio } from '../table.ts'

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
    const { best, rounds: count, seconds } = bench.options
    try {
      const series = await rounds(bench, field, { authorization: `Bearer ${await key.sign()}` })
      const reference = series.find(one => one.name === PLAIN)
      const of = reference && figure(reference, 'cpu', best)
      const verdicts = series.map(verdict)
      return {
        figures: series,
        table: {
          title: `P2 JWT (ES256, seen before), a limit of the caller, breaker and retry; 64 kept connections, one core (${best ? 'best' : 'median'} of ${count} x ${seconds} s)`,
          columns: ['proxy', 'rps', 'CPU us/request', 'of plain', 'p50 ms', 'p99 ms', 'compared'],
          rows: series.map((one, index) => [
            one.name,
            digits(figure(one, 'rps', best)),
            digits(figure(one, 'cpu', best), 1),
            ratio(figure(one, 'cpu', best), of),
            digits(figure(one, 'p50', best), 2),
            digits(figure(one, 'p99', best), 2),
            verdicts[index]?.cell ?? '',
          ]),
          notes: [...verdicts.flatMap(one => one.notes), ...field.notes],
        },
      }
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

function guard(configuration: string, keys: string): string {
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
