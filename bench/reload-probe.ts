import http from 'node:http'
import { renameSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Ready } from './contestants/outrigger.ts'
import { longestTurn } from './event-loop.ts'
import { cpuMicroseconds } from './process-figures.ts'
import { percentile } from './statistics.ts'

/** What one reload did to those who were asking meanwhile. Milliseconds. */
export interface ReloadResult {
  /** From the end of the write to the first answer of the new configuration. */
  readonly inEffect: number
  /** Processor time of the proxy and its loader meanwhile. */
  readonly cpu: number
  /** The longest turn of the event loop, by its own metrics. */
  readonly turn: number
  /** The longest that an answer of the proxy itself took. */
  readonly longest: number
  readonly p99Before: number
  readonly p99During: number
  readonly failed: number
}

export interface ReloadProbe extends Ready {
  /** The new content of the file. */
  readonly config: string
  /** What `/marker` answers when the new content is in effect. */
  readonly marker: string
}

const BEFORE_MS = 1000
const GIVE_UP_MS = 30_000
const EVERY_MS = 2
const AGENTS = 4

/** Replaces the configuration while `/marker` is asked every two milliseconds, and scrapes the metrics meanwhile. */
export async function probeReload(probe: ReloadProbe): Promise<ReloadResult> {
  const { port, admin, file, config, marker } = probe
  const agent = new http.Agent({ keepAlive: true, maxSockets: AGENTS })
  const before: number[] = []
  const during: number[] = []
  let times = before
  let failed = 0
  let seen = Number.NaN
  const stop = new AbortController()
  const ask = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const began = performance.now()
      const body = await get(port, '/marker', agent)
      const now = performance.now()
      times.push(now - began)
      if (body === null) failed++
      else if (body === marker && Number.isNaN(seen)) seen = now
      await pause(EVERY_MS)
    }
  }
  const askers = Array.from({ length: AGENTS }, ask)
  await pause(BEFORE_MS)
  await longestTurn(admin)
  const cpuBefore = cpuMicroseconds(probe.program.pid)
  writeFileSync(`${file}.new`, config)
  times = during
  renameSync(`${file}.new`, file)
  const written = performance.now()
  const scrape = longestTurn(admin)
  while (Number.isNaN(seen) && performance.now() - written < GIVE_UP_MS) await pause(20)
  const turns = [await scrape, await longestTurn(admin)].filter(turn => !Number.isNaN(turn))
  const turn = turns.length === 0 ? Number.NaN : Math.max(...turns)
  const cpu = (cpuMicroseconds(probe.program.pid) - cpuBefore) / 1000
  stop.abort()
  await Promise.all(askers)
  agent.destroy()
  return {
    inEffect: seen - written,
    turn,
    cpu,
    longest: Math.max(...during),
    p99Before: percentile(before, 99),
    p99During: percentile(during, 99),
    failed,
  }
}

function get(port: number, path: string, agent: http.Agent): Promise<string | null> {
  return new Promise(resolve => {
    const request = http.get({ host: '127.0.0.1', port, path, agent }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (body += part))
      response.on('error', () => resolve(null))
      response.on('end', () => resolve(response.statusCode === 200 ? body : null))
    })
    request.on('error', () => resolve(null))
  })
}
