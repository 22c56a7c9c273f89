import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { readLlhttpCases, type LlhttpCase, type LlhttpMessage } from './llhttp-cases.ts'
import { ProxyUnderTest } from './proxy-under-test.ts'
import { Tally, type Suite } from './suite.ts'
import { sendBytes } from './wire.ts'

// What llhttp reports as an error of strict mode although the request before it is in order.
const NO_FAULT = /^Pause on |^Data after `Connection: close`/

/** nodejs/llhttp, test/request: what its strict parser refuses is refused here, what it accepts is served. */
export const llhttp: Suite = {
  name: 'llhttp test/request',
  variable: 'LLHTTP_DIR',
  source: 'github.com/nodejs/llhttp',
  run: async folder => {
    const cases = path.join(folder, 'test', 'request')
    const tally = new Tally()
    const proxy = await ProxyUnderTest.start()
    try {
      for (const file of readdirSync(cases).filter(name => name.endsWith('.md')))
        for (const one of readLlhttpCases(readFileSync(path.join(cases, file), 'utf8')))
          await judge(tally, proxy, file, one)
    } finally {
      await proxy.stop()
    }
    return tally.result()
  },
}

async function judge(tally: Tally, proxy: ProxyUnderTest, file: string, one: LlhttpCase): Promise<void> {
  const name = `${file}: ${one.name}`
  const bytes = withHosts(one)
  const methods = one.messages.map(message => message.method)
  const whole = one.messages.filter(message => message.complete).length
  const before = proxy.origin.whole
  if (one.error !== null && !NO_FAULT.test(one.error)) {
    const outcome = await sendBytes(proxy.port, bytes, { methods })
    const served = outcome.responses.filter(({ status }) => status < 400).length
    const problem =
      outcome.malformed ??
      (served > whole
        ? `served, but llhttp says: ${one.error}`
        : proxy.origin.whole - before > whole
          ? `reached the upstream, but llhttp says: ${one.error}`
          : outcome.closed
            ? null
            : 'refused, but the connection stays open')
    return tally.judge(name, problem)
  }
  const outcome = await sendBytes(proxy.port, bytes, whole > 0 ? { methods, enough: whole } : { methods })
  const statuses = outcome.responses.slice(0, whole).map(({ status }) => status)
  const served = statuses.length === whole && statuses.every(status => status >= 200 && status < 300)
  if (outcome.malformed !== null || served) return tally.judge(name, outcome.malformed)
  const reason = one.messages.map(message => refusedByDesign(message, bytes)).find(text => text !== null)
  if (reason !== undefined && (await isRefused(proxy, bytes, methods))) return tally.setAside(reason)
  tally.judge(name, `${whole} to be served, answered ${statuses.join(', ') || 'nothing'}`)
}

/** Whether the last thing that the bytes get is an error, an ambiguous one with the end of the connection. */
async function isRefused(proxy: ProxyUnderTest, bytes: Buffer, methods: readonly string[]): Promise<boolean> {
  const before = proxy.origin.whole
  const { responses, closed, malformed } = await sendBytes(proxy.port, bytes, { methods })
  const served = responses.filter(({ status }) => status < 400).length
  const last = responses.at(-1)
  if (malformed !== null || last === undefined || last.status < 400) return false
  const saysSo = last.status !== 400 || last.headers['connection'] === 'close'
  return closed && saysSo && proxy.origin.whole - before === served
}

/** Why Outrigger refuses a message that llhttp's parser accepts, or null. llhttp judges syntax, without a proxy's duties. */
function refusedByDesign(message: LlhttpMessage, bytes: Buffer): string | null {
  const { method, target, protocol, version } = message
  const text = bytes.toString('latin1')
  if (protocol !== 'HTTP' || !/^1\.[01]$/.test(version)) return 'another protocol or version'
  if (method === 'CONNECT') return 'CONNECT, which only outbound listeners have'
  if (method === 'PRI') return 'the HTTP/2 preface with other bytes behind it'
  if (!COMMON_METHODS.has(method)) return 'a method that may be unknown (501)'
  if (target.includes('#')) return 'a fragment in the target'
  if (/^\w+:\/\/[^/?]*@/.test(target)) return 'user information in the target'
  if (!/^[\w\-.~!$&'()*+,;=:@%/?[\]]*$/.test(target)) return 'characters that no URI has'
  if (/^transfer-encoding:(?!\s*chunked\s*$)/im.test(text)) return 'a transfer coding besides chunked'
  if (/\n[ \t]+\S[\s\S]*?\r\n\r\n/.test(text.slice(0, text.indexOf('\r\n\r\n') + 4))) return 'line folding'
  if (/^host:\s*[\w.-]*=/im.test(text)) return 'a Host that is neither a name nor an address'
  if (/^upgrade:(?!\s*websocket\s*$)/im.test(text)) return 'an upgrade to something else than WebSocket'
  return null
}

const COMMON_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/**
 * The bytes with a Host field for each message whose fields llhttp read and that has none: llhttp does not ask for one,
 * and without it every case would be refused for that alone.
 */
function withHosts(one: LlhttpCase): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (const { fieldsAt, hasHost, target } of one.messages) {
    if (fieldsAt === null || hasHost) continue
    const authority = /^\w+:\/\/(?:[^/?@]*@)?([^/?]+)/.exec(target)?.[1] ?? 'suite.test'
    parts.push(one.bytes.subarray(at, fieldsAt), Buffer.from(`Host: ${authority}\r\n`))
    at = fieldsAt
  }
  parts.push(one.bytes.subarray(at))
  return Buffer.concat(parts)
}
