import { setTimeout as pause } from 'node:timers/promises'
import { CertificateFolder } from '../../test/harness/certificates.ts'
import type { Contestant, PemFiles } from '../contestant.ts'
import { nginx } from '../contestants/nginx.ts'
import { missingIn, startOutrigger, THIS_TREE } from '../contestants/outrigger.ts'
import { cpuMicroseconds } from '../process-figures.ts'
import { run } from '../program.ts'
import { cpuTable } from '../cpu-table.ts'
import { rounds } from '../rounds.ts'
import { assemble, dismiss, placeFor, type Bench, type Row, type RowResult } from '../row.ts'
import { median } from '../statistics.ts'
import { digits } from '../table.ts'

const RATE = 1000
const CLIENTS = 10

/** Files of certificates for the row, in a folder that is removed with it. */
interface Certificates {
  readonly ca: string
  readonly server: PemFiles
  readonly caller: PemFiles
}

/**
 * P4: what encryption costs. TLS termination beside nginx's, over kept connections, and a pair of sidecars with mTLS
 * between them at a steady rate.
 */
export const secure: Row = {
  name: 'p4',
  run: async bench => {
    const folder = await CertificateFolder.create()
    try {
      const pem = (name: string): PemFiles => ({
        cert: folder.file(`${name}.crt`),
        key: folder.file(`${name}.key`),
      })
      await folder.write('server', {
        uris: ['spiffe://bench/server'],
        dns: ['localhost'],
        addresses: ['127.0.0.1'],
      })
      await folder.write('caller', { uris: ['spiffe://bench/caller'] })
      return await measure(bench, { ca: folder.ca, server: pem('server'), caller: pem('caller') })
    } finally {
      folder.remove()
    }
  },
}

async function measure(bench: Bench, certificates: Certificates): Promise<RowResult> {
  const field = await assemble(bench, [nginx({ tls: certificates.server }), terminating(certificates.server)])
  let series
  try {
    series = await rounds(bench, field, { encrypted: true })
  } finally {
    await dismiss(field)
  }
  const pair = await steadyPair(bench, certificates)
  const title = 'P4 TLS termination, 115-byte response, 64 kept connections, one core'
  const pairNote = `A pair of sidecars with mTLS between them, ${RATE} requests a second of 1 KiB: ${digits(pair.caller, 3)} vCPU beside the caller, ${digits(pair.service, 3)} vCPU beside the service`
  const result = cpuTable(title, series, bench.options, {
    reference: 'nginx',
    notes: [pairNote, ...field.notes],
  })
  return { ...result, figures: { series, pair } }
}

function terminating({ cert, key }: PemFiles): Contestant {
  return {
    name: 'Outrigger',
    missing: () => missingIn(THIS_TREE),
    start: ({ folder, origin }) =>
      startOutrigger({
        name: 'Outrigger',
        folder,
        config: configuration('edge', `tls: { certificates: { cert: "${cert}", key: "${key}" } }`, {
          url: `http://127.0.0.1:${origin}`,
        }),
      }),
  }
}

function configuration(role: string, listener: string, upstream: { url: string; tls?: string }): string {
  return `version: 1
service: bench
listeners:
  - name: bench
    role: ${role}
    address: 127.0.0.1:PORT
    requestSize: off
    ${listener}
    upstream: origin
upstreams:
  origin: { url: "${upstream.url}"${upstream.tls === undefined ? '' : `, tls: ${upstream.tls}`} }
admin: { address: 127.0.0.1:ADMIN }
telemetry: { accessLog: off }
`
}

/** Processor seconds per second of each of two sidecars; the median of the rounds, or the best. */
async function steadyPair(
  bench: Bench,
  { ca, server, caller }: Certificates,
): Promise<{ readonly caller: number; readonly service: number }> {
  const service = await startOutrigger({
    name: 'sidecar of the service',
    folder: placeFor(bench).folder,
    config: configuration(
      'inbound',
      `tls: { certificates: { cert: "${server.cert}", key: "${server.key}" }, clients: { ca: "${ca}" } }`,
      { url: `http://127.0.0.1:${bench.origin.port}` },
    ),
  })
  const beside = await startOutrigger({
    name: 'sidecar of the caller',
    folder: placeFor(bench).folder,
    config: configuration('outbound', 'rewrite: { host: service }', {
      url: `https://127.0.0.1:${service.port}`,
      tls: `{ ca: "${ca}", cert: "${caller.cert}", key: "${caller.key}", peers: spiffe://bench/server }`,
    }),
  })
  try {
    const { rounds: count, seconds, best } = bench.options
    const used: { caller: number; service: number }[] = []
    const pids = { caller: beside.program.pid, service: service.program.pid }
    await steady(beside.port, 1)
    for (let round = 0; round < count; round++) {
      const before = { caller: cpuMicroseconds(pids.caller), service: cpuMicroseconds(pids.service) }
      await steady(beside.port, seconds)
      used.push({
        caller: (cpuMicroseconds(pids.caller) - before.caller) / 1e6 / seconds,
        service: (cpuMicroseconds(pids.service) - before.service) / 1e6 / seconds,
      })
      await pause(100)
    }
    const pick = best ? (values: readonly number[]): number => Math.min(...values) : median
    return { caller: pick(used.map(one => one.caller)), service: pick(used.map(one => one.service)) }
  } finally {
    await Promise.all([beside.program.stop(), service.program.stop()])
  }
}

async function steady(port: number, seconds: number): Promise<void> {
  const report = await run('h2load', [
    '--h1',
    `-c${CLIENTS}`,
    `--rps=${RATE / CLIENTS}`,
    `-n${RATE * seconds}`,
    `http://127.0.0.1:${port}/kib`,
  ])
  const failed = RATE * seconds - Number(/(\d+) 2xx/.exec(report)?.[1] ?? 0)
  if (failed > 0) throw new Error(`${failed} requests of the pair failed:\n${report}`)
}
