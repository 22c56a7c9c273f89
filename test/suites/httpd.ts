import { readFileSync } from 'node:fs'
import path from 'node:path'
import { readHttpdCases, type HttpdCase } from './httpd-cases.ts'
import { ProxyUnderTest } from './proxy-under-test.ts'
import { Tally, type Suite } from './suite.ts'
import { sendBytes } from './wire.ts'

/** apache/httpd-tests, t/apache/http_strict.t: requests and response fields that a strict server refuses or serves. */
export const httpd: Suite = {
  name: 'httpd-tests http_strict.t',
  variable: 'HTTPD_TESTS_DIR',
  source: 'github.com/apache/httpd-tests',
  run: async folder => {
    const tally = new Tally()
    const proxy = await ProxyUnderTest.start()
    try {
      const perl = readFileSync(path.join(folder, 't', 'apache', 'http_strict.t'), 'utf8')
      for (const one of readHttpdCases(perl)) await judge(tally, proxy, one)
    } finally {
      await proxy.stop()
    }
    return tally.result()
  },
}

async function judge(tally: Tally, proxy: ProxyUnderTest, one: HttpdCase): Promise<void> {
  const name = JSON.stringify(one.bytes.toString('latin1'))
  if (one.expected === 'either') return tally.setAside("a matter of httpd's own configuration")
  const bytes =
    one.about === 'request'
      ? one.bytes
      : Buffer.from(
          `GET /raw?${encodeURIComponent(one.bytes.toString('base64'))} HTTP/1.0\r\nHost: suite.test\r\n\r\n`,
        )
  const before = proxy.origin.whole
  const outcome = await sendBytes(proxy.port, bytes, { methods: ['GET'] })
  const status = outcome.responses[0]?.status ?? null
  const served = status !== null && status < 400
  const reached = proxy.origin.whole - before
  if (outcome.malformed !== null) return tally.judge(name, outcome.malformed)
  if (!outcome.closed) return tally.judge(name, 'the connection stays open')
  if (one.expected === 'refuse') {
    if (served) return tally.judge(name, `served with ${status}, but has to be refused`)
    if (one.about === 'request' && reached > 0) return tally.judge(name, 'reached the upstream')
    return tally.judge(name, null)
  }
  const reason = served ? null : refusedByDesign(one.bytes.toString('latin1'))
  if (reason !== null) return tally.setAside(reason)
  tally.judge(name, served ? null : `answered ${status ?? 'nothing'}, but is to be served`)
}

/** Why Outrigger refuses what httpd serves, or null. */
function refusedByDesign(request: string): string | null {
  if (/^\S+ \S+ HTTP\/(?!1\.[01]\r)/.test(request)) return 'a version other than 1.0 and 1.1'
  const [, target] = /^\S+ http:\/\/([^/]+)/.exec(request) ?? []
  const [, host] = /\r\nHost: (.*?)\r\n/.exec(request) ?? []
  if (target !== undefined && host !== undefined && target !== host)
    return 'a target and a Host field that differ'
  return null
}
