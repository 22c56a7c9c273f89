import type { Contestant } from '../contestant.ts'
import { haproxyStreams } from '../contestants/haproxy.ts'
import { missingIn, plainConfiguration, startOutrigger, THIS_TREE } from '../contestants/outrigger.ts'
import { cpuTable } from '../cpu-table.ts'
import { rounds } from '../rounds.ts'
import { assemble, dismiss, type Row } from '../row.ts'

const outrigger: Contestant = {
  name: 'Outrigger',
  missing: () => missingIn(THIS_TREE),
  start: ({ folder, streams }) =>
    startOutrigger({ name: 'Outrigger', folder, config: plainConfiguration(streams, false, 'http2') }),
}

/** P10: a small answer over HTTP/2 without TLS on both sides. */
export const streams: Row = shape('p10', 8, 16)

/** The same with one request at a time on each of many connections, so that nothing is shared. */
export const connections: Row = shape('p10b', 64, 1)

function shape(name: string, connections: number, streams: number): Row {
  return {
    name,
    run: async bench => {
      const field = await assemble(bench, [haproxyStreams, outrigger])
      try {
        const series = await rounds(bench, field, { connections, streams })
        const title = `P10 h2c to h2c, 115-byte response, ${connections} connections of ${streams} streams, one core`
        return cpuTable(title, series, bench.options, { reference: 'HAProxy', notes: field.notes })
      } finally {
        await dismiss(field)
      }
    },
  }
}
