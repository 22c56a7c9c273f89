import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import type { TestContext } from 'node:test'
import { InProcess } from './in-process.ts'
import type { SteppedClock } from './stepped-clock.ts'
import type { WireResponse } from './strict-http.ts'

/** Two listeners: `/a` and `/b` of `in`, `/c` of `second`; callers by key, in the plans gold and none. */
export function limited(
  limits: {
    defaults?: string
    listener?: string
    a?: string
    gold?: string
    partner?: string
  },
  top = '',
): string {
  const level = (what: string | undefined): string => (what === undefined ? '' : `rateLimit: ${what}`)
  const member = (what: string | undefined): string => (what === undefined ? '' : `, rateLimit: ${what}`)
  return `version: 1
service: test
telemetry: { accessLog: on }
defaults: { authenticate: { apiKey: clients, optional: on } ${member(limits.defaults)} }
authentication: { apiKey: { clients: { header: x-api-key } } }
plans: { gold: { groups: [gold] ${member(limits.gold)} } }
consumers:
  - { name: partner, apiKeys: { sha256: ${hash('sha256', 'partner')} } ${member(limits.partner)} }
  - { name: rich, groups: [gold], apiKeys: { sha256: ${hash('sha256', 'rich')} } }
  - { name: richer, groups: [gold], apiKeys: { sha256: ${hash('sha256', 'richer')} } }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    trustedProxies: [127.0.0.1]
    ${level(limits.listener)}
    routes:
      - { name: a, match: { path: /a }, respond: { body: a } ${member(limits.a)} }
      - { name: b, match: { path: /b }, respond: { body: b } }
  - name: second
    role: edge
    address: 127.0.0.1:0
    routes: [{ name: c, match: { path: /c }, respond: { body: c } }]
${top}
`
}

/** Asks a proxy with limits, by path. */
export class Asking {
  readonly proxy: InProcess
  constructor(proxy: InProcess) {
    this.proxy = proxy
  }

  static async of(t: TestContext, yaml: string, clock?: SteppedClock): Promise<Asking> {
    const proxy = await InProcess.start(yaml, clock === undefined ? {} : { clock })
    t.after(() => proxy.stop())
    return new Asking(proxy)
  }

  async get(path: string, fields: Record<string, string> = {}): Promise<WireResponse> {
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    const listener = path === '/c' ? 'second' : 'in'
    return this.proxy.ask(`GET ${path} HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`, { listener })
  }

  /** How many requests pass before one is refused. */
  async room(path: string, fields?: Record<string, string>): Promise<number> {
    for (let count = 0; count < 50; count++) {
      const { status } = await this.get(path, fields)
      if (status === 429) return count
      assert.equal(status, 200)
    }
    return Infinity
  }
}
