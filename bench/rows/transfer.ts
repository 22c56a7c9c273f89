import { mkdirSync, openSync, closeSync, ftruncateSync } from 'node:fs'
import path from 'node:path'
import type { Entry } from '../contestant.ts'
import { haproxy } from '../contestants/haproxy.ts'
import { envoy } from '../contestants/envoy.ts'
import { nginx } from '../contestants/nginx.ts'
import { outrigger } from '../contestants/outrigger.ts'
import { freePort } from '../../test/harness/free-port.ts'
import { LOAD_CORE, Program, run } from '../program.ts'
import { cpuMicroseconds, memory, peakResident } from '../process-figures.ts'
import { assemble, dismiss, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { digits, ratio } from '../table.ts'

const BYTES = 1024 ** 3

/** One body through a proxy. */
interface Transfer {
  /** MiB a second. */
  readonly rate: number
  /** User and system time of the proxy in seconds. */
  readonly cpu: number
  readonly complete: boolean
}

/** P8: a body of 1 GiB down and up: throughput, and whether memory stays flat. */
export const transfer: Row = {
  name: 'p8',
  run: async bench => {
    const { rounds, best } = bench.options
    const file = path.join(bench.folder, 'files', 'large')
    mkdirSync(path.dirname(file), { recursive: true })
    const handle = openSync(file, 'w')
    ftruncateSync(handle, BYTES)
    closeSync(handle)
    const port = await freePort()
    const origin = new Program({
      name: 'transfer origin',
      command: process.execPath,
      args: [path.join(import.meta.dirname, '..', 'upload-origin.ts'), String(port)],
      core: LOAD_CORE,
    })
    await origin.listening(port)
    const downField = await assemble(bench, [nginx(), haproxy, envoy, outrigger()])
    const upField = await assemble(
      { ...bench, origin: { program: origin, port, streams: bench.origin.streams } },
      [nginx(), haproxy, envoy, outrigger()],
    )
    try {
      // Once without a proxy, so that nobody is the first to read the file.
      await run('curl', ['-s', '-o', '/dev/null', `http://127.0.0.1:${bench.origin.port}/files/large`])
      const figures = []
      for (const [index, { name, entry }] of downField.entries.entries()) {
        const up = upField.entries[index]
        if (up?.name !== name) continue
        figures.push({
          name,
          down: entry,
          up: up.entry,
          idle: memory(entry.program.pid).resident,
          downs: new Array<Transfer>(),
          ups: new Array<Transfer>(),
        })
      }
      for (let round = 1; round <= rounds; round++)
        for (const { name, down, up, downs, ups } of figures) {
          downs.push(await curl(down, '/files/large', []))
          ups.push(await curl(up, '/upload', ['-T', file]))
          bench.say(
            `round ${round} of ${rounds}: ${name}: ${digits(downs.at(-1)?.rate ?? 0)} MiB/s down, ${digits(ups.at(-1)?.rate ?? 0)} MiB/s up`,
          )
        }
      const rate = (of: readonly Transfer[]): number =>
        best ? Math.max(...of.map(one => one.rate)) : median(of.map(one => one.rate))
      const cpu = (of: readonly Transfer[]): string => digits(median(of.map(one => one.cpu)), 2)
      const reference = figures.find(one => one.name === 'nginx')
      return {
        figures: figures.map(({ name, idle, downs, ups, down, up }) => ({
          name,
          idle,
          downs,
          ups,
          peakDown: peakResident(down.program.pid),
          peakUp: peakResident(up.program.pid),
        })),
        table: {
          title: `P8 one body of 1 GiB (${best ? 'best' : 'median'} of ${rounds})`,
          columns: [
            'proxy',
            'down MiB/s',
            'of nginx',
            'CPU s',
            'up MiB/s',
            'of nginx',
            'CPU s',
            'idle MiB',
            'peak down MiB',
            'peak up MiB',
            'complete',
          ],
          rows: figures.map(({ name, downs, ups, idle, down, up }) => [
            name,
            digits(rate(downs)),
            ratio(rate(downs), reference && rate(reference.downs)),
            cpu(downs),
            digits(rate(ups)),
            ratio(rate(ups), reference && rate(reference.ups)),
            cpu(ups),
            digits(idle),
            digits(peakResident(down.program.pid)),
            digits(peakResident(up.program.pid)),
            [...downs, ...ups].every(one => one.complete) ? 'yes' : 'NO',
          ]),
          notes: downField.notes,
        },
      }
    } finally {
      await Promise.all([dismiss(downField), dismiss(upField), origin.stop()])
    }
  },
}

async function curl(entry: Entry, target: string, args: readonly string[]): Promise<Transfer> {
  const before = cpuMicroseconds(entry.program.pid)
  const write = '%{http_code} %{size_download} %{size_upload} %{time_total}'
  const answer = await run('curl', [
    '-s',
    '-o',
    '/dev/null',
    '-w',
    write,
    '-H',
    'Expect:',
    ...args,
    `http://127.0.0.1:${entry.port}${target}`,
  ])
  const [status, down, up, seconds] = answer.split(' ').map(Number)
  return {
    rate: BYTES / 1024 ** 2 / (seconds ?? Number.NaN),
    cpu: (cpuMicroseconds(entry.program.pid) - before) / 1e6,
    // The upload origin answers 200 only to exactly as many bytes as were announced.
    complete: status === 200 && (args.length > 0 ? up : down) === BYTES,
  }
}
