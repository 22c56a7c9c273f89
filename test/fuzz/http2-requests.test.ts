// Requests of HTTP/2 as header lists, good ones and broken ones: what we take is taken by `node:http2` (nghttp2) too.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { InProcess } from '../harness/in-process.ts'
import { RawH2 } from '../harness/raw-h2.ts'
import { caseCount, RandomSource, seed } from './random-source.ts'

const CASES = caseCount(1500)
/** Streams of a connection before it is opened anew: those that break off are counted against it. */
const EACH = 100

const NAMES = [
  ...[':method', ':scheme', ':path', ':authority', ':status', ':protocol', ':x', 'host', 'cookie', 'accept'],
  ...['content-length', 'te', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'proxy-connection'],
  ...['x', 'X', 'x y', 'x:', '', 'expect', 'user-agent', 'x-\xe4', '__proto__', 'http2-settings', 'priority'],
]
const VALUES = [
  ...[
    '',
    'GET',
    'POST',
    'OPTIONS',
    'HEAD',
    'CONNECT',
    'get',
    'G T',
    'http',
    'https',
    'ftp',
    '/',
    '*',
    '/a?b#c',
    '/a b',
  ],
  ...[
    'a.example',
    'a.example:80',
    'u@a.example',
    '[::1]',
    'a b',
    '0',
    '1',
    '-1',
    '0x1',
    '1,1',
    'trailers',
    'gzip',
  ],
  ...[
    'chunked',
    'close',
    ' x',
    'x ',
    'x\ty',
    'x\r\ny',
    'x\0',
    '\x7f',
    '\x80\xff',
    'websocket',
    '100-continue',
  ],
]

/** A header list: a usual one with a few things done to it. */
function listOf(random: RandomSource): string[] {
  const pairs: [string, string][] = [
    [':method', random.pick(['GET', 'POST', 'OPTIONS'])],
    [':scheme', 'http'],
    [':path', random.pick(['/', '/a?b=c', '/%41'])],
    [':authority', 'a.example'],
    ['x', 'y'],
  ]
  for (let edits = random.below(4); edits > 0; edits--) {
    const at = random.below(pairs.length + 1)
    const pair: [string, string] = [random.pick(NAMES), random.pick(VALUES)]
    const how = random.below(4)
    if (how === 0) pairs.splice(at, 1)
    else if (how === 1) pairs.splice(at, 0, pair)
    else if (how === 2) pairs.push(pair)
    else if (at < pairs.length) pairs[at] = [pairs[at]?.[0] ?? '', pair[1]]
  }
  return pairs.flat()
}

/** Whether a server takes requests, asked on connections of its own. */
class Judge {
  readonly #port: number
  #client: RawH2 | null = null
  #asked = 0

  constructor(port: number) {
    this.#port = port
  }

  async takes(fields: readonly string[]): Promise<boolean> {
    if (
      this.#client === null ||
      this.#client.closed ||
      this.#client.goaway !== null ||
      this.#asked++ % EACH === 0
    ) {
      this.#client?.destroy()
      this.#client = await RawH2.connect(this.#port)
    }
    const client = this.#client
    const id = client.request(fields)
    const over = (): boolean => client.answer(id).ended || client.answer(id).reset >= 0
    await client.until('a verdict', () => over() || client.closed || client.goaway !== null)
    return client.answer(id).status === 200
  }

  close(): void {
    this.#client?.destroy()
  }
}

test('no request is taken that nghttp2 would not take', async () => {
  const proxy = await InProcess.start(`version: 1
service: test
listeners: [{ name: in, role: inbound, address: "127.0.0.1:0", respond: { body: taken } }]
`)
  const server = http2.createServer({ settings: { enableConnectProtocol: true } })
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200 })
    stream.end('taken')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ours = new Judge(proxy.port())
  const theirs = new Judge((server.address() as AddressInfo).port) // it listens on TCP
  const random = new RandomSource(seed())
  let taken = 0
  for (let i = 0; i < CASES; i++) {
    const fields = listOf(random)
    if (!(await ours.takes(fields))) continue
    taken++
    assert.ok(await theirs.takes(fields), `seed ${seed()}, case ${i}: ${JSON.stringify(fields)}`)
  }
  assert.ok(taken > CASES / 10 && taken < CASES, `${taken} of ${CASES} were taken`)
  ours.close()
  theirs.close()
  server.close()
  await proxy.stop()
})
