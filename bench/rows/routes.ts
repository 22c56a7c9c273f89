import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Contestant } from '../contestant.ts'
import {
  compiledMain,
  fillIn,
  missingIn,
  startOutrigger,
  THIS_TREE,
  type Ready,
} from '../contestants/outrigger.ts'
import { probeReload, type ReloadResult } from '../reload-probe.ts'
import { figure, rounds, verdict } from '../rounds.ts'
import { assemble, dismiss, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { digits, ratio } from '../table.ts'

const FEW = 10
const MANY = 10_000
const RELOADS = 3
/** Routes beside the generated ones: the marker, and what the correctness check asks for. */
const FIXED = 2

/** P7: 10,000 routes against ten: what a lookup costs, and how long a changed file takes to be in effect. */
export const routes: Row = {
  name: 'p7',
  run: async bench => {
    const { best } = bench.options
    const started = new Map<string, Ready>()
    const withRoutes = (count: number): Contestant => ({
      name: `Outrigger, ${count} routes`,
      missing: () => missingIn(THIS_TREE),
      start: async ({ folder, origin }) => {
        const name = `Outrigger, ${count} routes`
        const ready = await startOutrigger({
          name,
          folder,
          config: routesConfiguration(count, origin, 'first'),
          ...(existsSync(compiledMain()) ? { main: compiledMain() } : {}),
        })
        started.set(name, ready)
        return ready
      },
    })
    const field = await assemble(bench, [withRoutes(FEW), withRoutes(MANY)])
    try {
      const series = []
      // Each load draws its paths from the routes that the contestant has.
      for (const [index, count] of [FEW, MANY].entries()) {
        const entry = field.entries[index]
        if (entry === undefined) continue
        const script = path.join(bench.folder, `paths-${count}.lua`)
        writeFileSync(script, pathsScript(count))
        series.push({ script, field: { entries: [entry], notes: [] } })
      }
      const measured = []
      for (const { script, field: one } of series) measured.push(...(await rounds(bench, one, { script })))
      const reloads = new Map<string, ReloadResult[]>()
      for (const [index, [name, ready]] of [...started].entries()) {
        const count = index === 0 ? FEW : MANY
        const results: ReloadResult[] = []
        for (let reload = 1; reload <= RELOADS; reload++) {
          const marker = `changed-${reload}`
          const config = fillIn(
            routesConfiguration(count, bench.origin.port, marker),
            ready.port,
            ready.admin,
          )
          results.push(await probeReload({ ...ready, config, marker }))
        }
        bench.say(`${name}: in effect after ${results.map(one => one.inEffect.toFixed(0)).join(', ')} ms`)
        reloads.set(name, results)
      }
      const first = measured[0] && figure(measured[0], 'cpu', best)
      return {
        figures: { series: measured, reloads: Object.fromEntries(reloads) },
        table: {
          title: `P7 ${MANY} routes against ${FEW}: lookup, and reload under a steady load with a scrape of the metrics`,
          columns: [
            'proxy',
            'rps',
            'CPU us/request',
            `of ${FEW}`,
            'reload ms',
            'CPU of it ms',
            'longest turn ms',
            'longest wait ms',
            'p99 before',
            'p99 during',
            'failed',
          ],
          rows: measured.map(one => {
            const results = reloads.get(one.name) ?? []
            const cpu = figure(one, 'cpu', best)
            return [
              one.name,
              digits(figure(one, 'rps', best)),
              digits(cpu, 1),
              ratio(cpu, first),
              digits(median(results.map(result => result.inEffect))),
              digits(median(results.map(result => result.cpu))),
              digits(median(results.map(result => result.turn))),
              digits(median(results.map(result => result.longest))),
              digits(median(results.map(result => result.p99Before)), 1),
              digits(median(results.map(result => result.p99During)), 1),
              String(results.reduce((sum, result) => sum + result.failed, 0)),
            ]
          }),
          notes: [...measured.flatMap(one => verdict(one).notes), ...field.notes],
        },
      }
    } finally {
      await dismiss(field)
    }
  },
}

/** A configuration of `count` routes over a hundred services, one of which answers `marker` by itself and one takes what the correctness check asks for. */
export function routesConfiguration(count: number, origin: number, marker: string): string {
  const lines = [
    'version: 1',
    'service: bench',
    'listeners:',
    '  - name: bench',
    '    role: edge',
    '    address: 127.0.0.1:PORT',
    '    routes:',
    `      - { name: marker, match: { path: { exact: /marker } }, respond: { status: 200, body: ${marker} } }`,
    '      - { name: check, match: { path: [{ exact: / }, { exact: /echo }] }, upstream: origin }',
  ]
  for (let index = 1; index <= count - FIXED; index++) {
    const template = index % 3 === 0 ? `${pathOf(index)}/{id}` : pathOf(index)
    lines.push(
      `      - name: route-${index}`,
      `        match: { path: "${template}", methods: [GET, POST] }`,
      '        upstream: origin',
    )
  }
  lines.push(
    'upstreams:',
    `  origin: { url: "http://127.0.0.1:${origin}" }`,
    'admin: { address: 127.0.0.1:ADMIN }',
    'telemetry: { accessLog: { write: off } }',
    '',
  )
  return lines.join('\n')
}

function pathOf(index: number): string {
  return `/service-${index % 100}/resource-${index}`
}

/** A wrk script that asks for the paths of the routes in a fixed, scattered order. */
function pathsScript(count: number): string {
  return `local turn = 0
request = function()
  turn = turn + 7919
  local index = turn % ${count - FIXED} + 1
  return wrk.format("GET", "/service-" .. index % 100 .. "/resource-" .. index .. "/42")
end
`
}
