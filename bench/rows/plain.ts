import { caddy } from '../contestants/caddy.ts'
import { envoy } from '../contestants/envoy.ts'
import { haproxy } from '../contestants/haproxy.ts'
import { nginx } from '../contestants/nginx.ts'
import { nodePeers } from '../contestants/node-peers.ts'
import { outrigger } from '../contestants/outrigger.ts'
import { figure, rounds, verdict, type Series } from '../rounds.ts'
import { assemble, dismiss, type Bench, type Row, type RowResult } from '../row.ts'
import { digits, ratio } from '../table.ts'

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
  const { best, rounds: count, seconds } = bench.options
  const reference = series.find(one => one.name === 'nginx') ?? series[0]
  const referenceCpu = reference && figure(reference, 'cpu', best)
  const verdicts = series.map(verdict)
  return {
    figures: series,
    table: {
      title: `P1 plain HTTP/1.1, 115-byte response, 64 kept connections, one core (${best ? 'best' : 'median'} of ${count} x ${seconds} s)`,
      columns: [
        'proxy',
        'rps',
        'CPU us/request',
        `of ${reference?.name}`,
        'p50 ms',
        'p99 ms',
        'RSS MiB',
        'compared',
      ],
      rows: series.map((one, index) => [
        one.name,
        digits(figure(one, 'rps', best)),
        digits(figure(one, 'cpu', best), 1),
        ratio(figure(one, 'cpu', best), referenceCpu),
        digits(figure(one, 'p50', best), 2),
        digits(figure(one, 'p99', best), 2),
        digits(figure(one, 'rss', best)),
        verdicts[index]?.cell ?? '',
      ]),
      notes: [...verdicts.flatMap(one => one.notes), ...notes],
    },
  }
}
