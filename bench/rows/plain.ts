import { caddy } from '../contestants/caddy.ts'
import { envoy } from '../contestants/envoy.ts'
import { haproxy } from '../contestants/haproxy.ts'
import { nginx } from '../contestants/nginx.ts'
import { nodePeers } from '../contestants/node-peers.ts'
import { outrigger } from '../contestants/outrigger.ts'
import { cpuTable } from '../cpu-table.ts'
import { rounds, type Series } from '../rounds.ts'
import { assemble, dismiss, type Bench, type Row, type RowResult } from '../row.ts'

const contestants = [
  nginx(),
  haproxy,
  envoy,
  caddy,
  outrigger(),
  ...nodePeers,
  nginx({ accessLog: true }),
  outrigger({ name: 'Outrigger, access log', accessLog: true }),
]

/** P1: a small answer over 64 kept connections, as fast as one core of proxy can. */
export const plain: Row = {
  name: 'p1',
  run: async bench => {
    const field = await assemble(bench, contestants)
    try {
      return report(bench, await rounds(bench, field), field.notes)
    } finally {
      await dismiss(field)
    }
  },
}

/** The table of a plain run, with the ratio of CPU per request to the first contestant, or to nginx where it took part. */
export function report(bench: Bench, series: readonly Series[], notes: readonly string[]): RowResult {
  const title = 'P1 plain HTTP/1.1, 115-byte response, 64 kept connections, one core'
  return cpuTable(title, series, bench.options, { reference: 'nginx', notes })
}
