import { figure, verdict, type Series } from './rounds.ts'
import type { RowResult } from './row.ts'
import type { Options } from './options.ts'
import { digits, ratio } from './table.ts'

/**
 * The result of a row that compares CPU a request: a line for each contestant, with the ratio to the reference.
 * @param reference its name; the first contestant where it took no part
 * @param notes what has to be said beside the figures
 */
export function cpuTable(
  title: string,
  series: readonly Series[],
  options: Pick<Options, 'best' | 'rounds' | 'seconds'>,
  { reference: name, notes }: { readonly reference: string; readonly notes: readonly string[] },
): RowResult {
  const { best, rounds, seconds } = options
  const reference = series.find(one => one.name === name) ?? series[0]
  const of = reference && figure(reference, 'cpu', best)
  const verdicts = series.map(verdict)
  return {
    figures: series,
    table: {
      title: `${title} (${best ? 'best' : 'median'} of ${rounds} x ${seconds} s)`,
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
        ratio(figure(one, 'cpu', best), of),
        digits(figure(one, 'p50', best), 2),
        digits(figure(one, 'p99', best), 2),
        digits(figure(one, 'rss', best)),
        verdicts[index]?.cell ?? '',
      ]),
      notes: [...verdicts.flatMap(one => one.notes), ...notes],
    },
  }
}
