import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import { ImpatientUpstream } from './impatient-upstream.ts'

/** What came of requests that met connections which were just being closed. */
export interface RaceOutcome {
  readonly requests: number
  /** Failed requests by method. */
  readonly failed: Readonly<Record<string, number>>
  /** POSTs that the upstream processed more than once. */
  readonly duplicated: readonly string[]
  /** POSTs that were answered 200 and never processed. */
  readonly invented: readonly string[]
  /** Connections that the upstream closed. */
  readonly closed: number
  /** How often the race was lost. */
  readonly races: number
}

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'GET', 'OPTIONS', 'POST']

/**
 * Sends waves of requests at moments around the one at which the upstream closes what is idle.
 * @param idle after how many milliseconds the upstream closes  @param spread how far around that moment
 */
export async function raceIdle(options: {
  readonly idle: number
  readonly spread: number
  readonly how: 'destroy' | 'fin'
  readonly clients: number
  readonly seconds: number
}): Promise<RaceOutcome> {
  const upstream = await ImpatientUpstream.listen(options.idle, options.how)
  // Ours is longer, so that it is always the upstream that closes.
  const yaml = routeTo(upstream.port, { upstream: 'connection: { keepAlive: 60s }' })
  const outrigger = await Outrigger.start(yaml + 'admin: { address: 127.0.0.1:0 }\n')
  try {
    const clients = await Promise.all(
      Array.from({ length: options.clients }, () => RawClient.connect(outrigger.port('in'))),
    )
    const failed: Record<string, number> = {}
    const answered: string[] = []
    const posts: string[] = []
    let requests = 0
    const end = performance.now() + options.seconds * 1000
    for (let wave = 0; performance.now() < end; wave++) {
      await Promise.all(
        clients.map(async (client, at) => {
          const method = METHODS[(at + wave) % METHODS.length] ?? 'GET'
          const path = `/${wave}/${at}`
          const body = method === 'PUT' || method === 'POST' ? 'content-length: 3\r\n\r\nabc' : '\r\n'
          requests++
          if (method === 'POST') posts.push(path)
          const answer = await client.ask(`${method} ${path} HTTP/1.1\r\nhost: a\r\n${body}`, { method })
          if (answer.status !== 200) failed[method] = (failed[method] ?? 0) + 1
          else if (method === 'POST') answered.push(path)
        }),
      )
      await pause(options.idle + (Math.random() * 2 - 1) * options.spread)
    }
    for (const client of clients) client.destroy()
    const metrics = await (await fetch(`http://127.0.0.1:${outrigger.adminPort}/metrics`)).text()
    const races = /^outrigger_upstream_reuse_races_total\{.*\} (\d+)$/m.exec(metrics)
    return {
      requests,
      failed,
      duplicated: posts.filter(path => (upstream.processed.get(path) ?? 0) > 1),
      invented: answered.filter(path => !upstream.processed.has(path)),
      closed: upstream.closed,
      races: Number(races?.[1] ?? -1),
    }
  } finally {
    await outrigger.stop('SIGKILL')
    await upstream.close()
  }
}
