// Three backends, of which one after another is made slow, failing, flapping and dead, under the same load twice: straight
// from a client that takes them in turn, and through Outrigger.
//   node examples/chaos/start.ts
//   node examples/chaos/start.ts --seconds 12      shorter; the default is 36
//   node examples/chaos/start.ts --rate 200        requests a second, each way; the default is 90
// Exit codes: 0 it ran to its end or was stopped by Ctrl-C, 1 something ended by itself, 2 usage.
import { parseArgs } from 'node:util'
import { Backend, type Illness } from './backends.ts'
import { Load, type LoadResult } from './load.ts'
import { Proxy } from './proxy.ts'

/** What is done to which backend, one phase after another. */
const PHASES: readonly (readonly [what: Illness | 'dead', which: number | null])[] = [
  ['well', null],
  ['slow', 0],
  ['failing', 1],
  ['flapping', 2],
  ['dead', 0],
  ['well', null],
]

const { seconds, rate } = options()
const backends = ['a', 'b', 'c'].map(name => new Backend(name))
let proxy: Proxy | null = null
process.on('exit', () => proxy?.kill())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    console.log('\nStopped.')
    process.exit(0)
  })

await Promise.all(backends.map(async backend => backend.start()))
const ports = backends.map(({ port }) => port)
const addresses = Object.fromEntries(
  backends.map(({ name, port }) => [`CHAOS_${name.toUpperCase()}`, `127.0.0.1:${port}`]),
)
proxy = await Proxy.start(addresses, line => console.log(`             outrigger: ${named(line)}`))
const ways = { directly: new Load(ports, rate), outrigger: new Load([proxy.port], rate) }

console.log(`Three backends, ${rate} requests a second each way, ${PHASES.length} phases of ${seconds / PHASES.length} s.
Watch it:    curl http://${proxy.admin}/upstreams
"Bad asked" is how many requests came to the backend that was ill.

             directly                             through Outrigger
phase        success     p50     p99  bad asked   success     p50     p99  bad asked`)

const all = { directly: { sent: 0, good: 0 }, outrigger: { sent: 0, good: 0 } }
for (const [what, which] of PHASES) {
  const ill = which === null ? null : (backends[which] ?? null)
  if (what === 'dead') await ill?.kill()
  else ill?.make(what)
  for (const backend of backends) await backend.asked()
  const failed = await connectsFailed(proxy)
  const [directly, outrigger] = await Promise.all([
    ways.directly.run(seconds / PHASES.length),
    ways.outrigger.run(seconds / PHASES.length),
  ])
  // A dead one counts nothing: whoever went there could not connect.
  const asked =
    what === 'dead'
      ? { directly: directly.sent - directly.good, outrigger: (await connectsFailed(proxy)) - failed }
      : await ill?.asked()
  console.log(
    `${`${what}${ill === null ? '' : ` ${ill.name}`}`.padEnd(12)}${cells(directly, asked?.directly)}  ${cells(outrigger, asked?.outrigger)}`,
  )
  for (const [way, result] of [
    ['directly', directly],
    ['outrigger', outrigger],
  ] as const) {
    all[way].sent += result.sent
    all[way].good += result.good
  }
  if (what === 'dead') await ill?.start()
  else ill?.make('well')
}
console.log(
  `\nAnswered well: ${share(all.directly)} directly, ${share(all.outrigger)} through Outrigger (${all.outrigger.sent} requests each).`,
)
for (const load of Object.values(ways)) load.close()
await proxy.stop()
for (const backend of backends) await backend.kill()

function connectsFailed(of: Proxy): Promise<number> {
  return of.metric('outrigger_upstream_connects_total{upstream="shop",result="failed"}')
}

function cells({ sent, good, p50, p99 }: LoadResult, asked: number | undefined): string {
  return [
    share({ sent, good }).padStart(8),
    `${Math.round(p50)} ms`.padStart(8),
    `${Math.round(p99)} ms`.padStart(8),
    String(asked ?? '').padStart(11),
  ].join('')
}

function share({ sent, good }: { sent: number; good: number }): string {
  return `${((100 * good) / sent).toFixed(1)} %`
}

/** With the names of the backends in place of their addresses. */
function named(line: string): string {
  return backends.reduce((text, { name, port }) => text.replaceAll(`127.0.0.1:${port}`, name), line)
}

function options(): { seconds: number; rate: number } {
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string' }, rate: { type: 'string' } } })
    const number = (name: 'seconds' | 'rate', value: number, most: number): number => {
      const given = Number(values[name] ?? value)
      if (!(given >= 1 && given <= most)) throw new Error(`--${name} is a number from 1 to ${most}`)
      return given
    }
    return { seconds: number('seconds', 36, 3600), rate: number('rate', 90, 1000) }
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    console.error('Usage: node examples/chaos/start.ts [--seconds NUMBER] [--rate NUMBER]')
    process.exit(2)
  }
}
