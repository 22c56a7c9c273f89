import { ProxyError } from '../../sidecar/exchange/proxy-error.ts'
import { HeadCollector } from '../../sidecar/http1/head-collector.ts'
import { parseRequestHead, parseResponseHead } from '../../sidecar/http1/head-parser.ts'
import { writeRequestHead, writeResponseHead } from '../../sidecar/http1/head-writer.ts'

// Nanoseconds of each step of reading and writing a head: `node bench/micro/head-parser.ts`. Each figure is the best of
// nine rounds in one process, the steps taking turns, so that none is measured in an engine warmed up for it alone.

const LIMITS = { headerBytes: 16_384, headerFields: 100, urlBytes: 8192 }
const ROUNDS = 9
const CALLS = 200_000

const SMALL = 'GET /orders/42 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n'
const CLIENT = [
  'GET /orders/42?expand=items HTTP/1.1',
  'host: orders.internal:8080',
  'connection: keep-alive',
  'accept: application/json',
  'accept-encoding: gzip, br',
  'user-agent: node',
  'x-request-id: 7b6c5a80-2f0e-4b8b-9a53-0f6f3c1f2a11',
  'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'x-tenant: blue',
  '',
  '',
].join('\r\n')
const BROWSER = [
  'GET /account/orders?page=2&sort=date HTTP/1.1',
  'Host: shop.example',
  'Connection: keep-alive',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  'Referer: https://shop.example/account',
  `Cookie: session=${'a1b2c3d4'.repeat(16)}; theme=dark; consent=1`,
  '',
  '',
].join('\r\n')
const RESPONSE = [
  'HTTP/1.1 200 OK',
  'Content-Type: application/json; charset=utf-8',
  'Content-Length: 115',
  'ETag: W/"73-4c2fJd1y"',
  'Date: Sun, 06 Nov 1994 08:49:37 GMT',
  'Connection: keep-alive',
  'Keep-Alive: timeout=5',
  '',
  '',
].join('\r\n')

let sink: unknown = null
/** Written heads are copied here, as a socket copies them. */
const wire = Buffer.alloc(65_536)

/** The steps for one request head, each by its name. */
function steps(name: string, text: string): [string, () => void][] {
  const bytes = Buffer.from(text, 'latin1')
  const read = Buffer.alloc(65_536)
  bytes.copy(read)
  const collector = new HeadCollector('request')
  const collect = (): string => {
    collector.push(read, 0, bytes.length, LIMITS)
    return collector.text
  }
  const head = parseRequestHead(collect(), LIMITS)
  if (head instanceof ProxyError) throw new Error(head.detail)
  const headers = [...head.headers.slice(2), 'x-forwarded-for', '10.0.0.1', 'via', '1.1 outrigger']
  return [
    [`${name}, ${text.length} B: collect`, () => (sink = collect())],
    [`${name}: collect and parse`, () => (sink = parseRequestHead(collect(), LIMITS))],
    [
      `${name}: write`,
      () => (sink = wire.write(writeRequestHead('GET', head.target, 'a', headers, 'none'), 'latin1')),
    ],
  ]
}

const bytes = Buffer.from(RESPONSE, 'latin1')
const collector = new HeadCollector('response')
const all = [
  ...steps('two lines', SMALL),
  ...steps('client, 8 fields', CLIENT),
  ...steps('browser, 8 fields', BROWSER),
  [
    `response, ${RESPONSE.length} B: collect and parse`,
    () => {
      collector.push(bytes, 0, bytes.length, LIMITS)
      sink = parseResponseHead(collector.text, LIMITS, 'GET')
    },
  ] satisfies [string, () => void],
  [
    'response: write',
    () => {
      const headers = [
        'content-type',
        'application/json; charset=utf-8',
        'etag',
        'W/"73-4c2fJd1y"',
        'via',
        '1.1 outrigger',
      ]
      const options = { date: 'Sun, 06 Nov 1994 08:49:37 GMT', connection: null, length: null }
      sink = wire.write(writeResponseHead(200, headers, 115, options), 'latin1')
    },
  ] satisfies [string, () => void],
]
const best = new Map<string, number>()
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, call] of all) {
    const before = process.hrtime.bigint()
    for (let i = 0; i < CALLS; i++) call()
    const each = Number(process.hrtime.bigint() - before) / CALLS
    best.set(name, Math.min(best.get(name) ?? Infinity, each))
  }
}
for (const [name, nanoseconds] of best) console.log(`${nanoseconds.toFixed(0).padStart(6)} ns  ${name}`)
if (sink === null) process.exitCode = 1
