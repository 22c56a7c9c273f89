import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { SigningKey } from '../../test/harness/tokens.ts'
import { missingIn, plainConfiguration, startOutrigger, THIS_TREE } from '../contestants/outrigger.ts'
import { eventLoopLag } from '../event-loop.ts'
import { load } from '../load.ts'
import { LOAD_CORE, PROXY_CORE } from '../program.ts'
import { assemble, dismiss, type Row } from '../row.ts'
import { guard } from './guarded.ts'

const RATE = 10_000
const CONNECTIONS = 1000
const WARM_UP = 4

/**
 * New tokens: each request brings one that was never seen, 10,000 a second. Signatures that the core has no time for are
 * answered with 503 `overloaded`; what counts is how long a turn of the event loop takes meanwhile.
 */
export const tokens: Row = {
  name: 'tokens',
  run: async bench => {
    const { seconds, rounds } = bench.options
    const key = new SigningKey('bench')
    let admin = 0
    const field = await assemble(bench, [
      {
        name: 'Outrigger',
        missing: () => missingIn(THIS_TREE),
        start: async ({ folder, origin }) => {
          const keys = path.join(folder, 'keys.json')
          writeFileSync(keys, JSON.stringify({ keys: [key.jwk] }))
          const ready = await startOutrigger({
            name: 'Outrigger',
            folder,
            config: guard(plainConfiguration(origin), keys),
          })
          admin = ready.admin
          // Signatures are checked beside the event loop: there has to be a core for them.
          execFileSync('taskset', ['-acp', `${PROXY_CORE},${LOAD_CORE}`, String(ready.program.pid)])
          return ready
        },
      },
    ])
    const lines: string[][] = []
    const figures: unknown[] = []
    try {
      // The first rounds warm up: until the paths of errors are compiled as well, turns are several times as long.
      for (let round = 1 - WARM_UP; round <= rounds; round++) {
        const [{ entry }] = field.entries as [(typeof field.entries)[number]]
        const script = await writeScript(bench.folder, key, round, seconds)
        await eventLoopLag(admin)
        const found = await load({ port: entry.port, seconds, connections: CONNECTIONS, script })
        const lag = await eventLoopLag(admin)
        const line = [
          String(Math.round(found.requests / found.seconds)),
          `${((found.failures / found.requests) * 100).toFixed(1)} %`,
          lag.p50.toFixed(1),
          lag.p99.toFixed(1),
          lag.max.toFixed(1),
        ]
        bench.say(`${round < 1 ? 'warming up' : `round ${round}`} of ${rounds}: ${line.join(', ')}`)
        if (round < 1) continue
        lines.push(line)
        figures.push({ ...found, lag })
      }
    } finally {
      await dismiss(field)
    }
    return {
      table: {
        title: `New tokens (ES256), ${RATE} a second on ${CONNECTIONS} connections, the proxy on the cores of the load too`,
        columns: ['requests/s', '503', 'lag p50 ms', 'lag p99 ms', 'lag max ms'],
        rows: lines,
        notes: field.notes,
      },
      figures,
    }
  },
}

/** A script of wrk that sends each token once. */
async function writeScript(folder: string, key: SigningKey, round: number, seconds: number): Promise<string> {
  const all: string[] = []
  for (let at = 0; at < RATE * (seconds + 1); at++) all.push(await key.sign({ jti: `${round}-${at}` }))
  const list = path.join(folder, 'tokens.txt')
  writeFileSync(list, all.join('\n'))
  const script = path.join(folder, 'tokens.lua')
  writeFileSync(
    script,
    `local tokens = {}
for line in io.lines("${list}") do tokens[#tokens + 1] = line end
local at = 0
function request()
  at = at % #tokens + 1
  return "GET / HTTP/1.1\\r\\nhost: bench\\r\\nauthorization: Bearer " .. tokens[at] .. "\\r\\n\\r\\n"
end
function delay() return ${Math.round((CONNECTIONS / RATE) * 1000)} end
`,
  )
  return script
}
