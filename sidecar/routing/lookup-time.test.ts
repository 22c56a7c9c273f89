import { test } from 'node:test'
import { ProxyError } from '../exchange/proxy-error.ts'
import { canonicalize } from './canonical-request.ts'
import { RouteTable } from './route-table.ts'

function table(count: number): RouteTable<number> {
  const routes = new RouteTable<number>()
  for (let i = 0; i < count; i++)
    routes.add({
      name: `r${i}`,
      spec: {
        hosts: [],
        paths: [{ kind: 'prefix', path: `/api/service-${i}/items` }],
        methods: ['GET', 'POST'],
        headers: [],
        query: [],
        priority: 0,
      },
      value: i,
    })
  return routes
}

/** Nanoseconds of a canonical request and of its lookup, the best of seven rounds. */
function time(routes: RouteTable<number>, of: number): { canonical: number; lookup: number } {
  const targets = Array.from({ length: 10 }, (_, i) => `/api/service-${(i * of) / 10}/items/12345?a=b`)
  const rounds = 20_000
  const best = { canonical: Infinity, lookup: Infinity }
  for (let round = 0; round < 7; round++) {
    const requests = []
    const start = performance.now()
    for (let i = 0; i < rounds; i++)
      requests.push(canonicalize('GET', targets[i % 10] as string, 'shop.example:8080', false, 'HTTP/1.1'))
    const half = performance.now()
    for (const request of requests)
      if (request instanceof ProxyError || routes.lookup(request, []).kind !== 'found')
        throw new Error('not found')
    const end = performance.now()
    best.canonical = Math.min(best.canonical, ((half - start) / rounds) * 1e6)
    best.lookup = Math.min(best.lookup, ((end - half) / rounds) * 1e6)
  }
  return best
}

test('time of a canonical request, and of lookups among 10,000 routes and ten: printed, not asserted', t => {
  const ten = table(10)
  const start = performance.now()
  const many = table(10_000)
  const built = performance.now() - start
  time(ten, 10)
  const small = time(ten, 10)
  const large = time(many, 10_000)
  t.diagnostic(`canonical ${small.canonical.toFixed(0)} ns`)
  t.diagnostic(`lookup among ten ${small.lookup.toFixed(0)} ns, among 10,000 ${large.lookup.toFixed(0)} ns`)
  t.diagnostic(`10,000 routes built in ${built.toFixed(0)} ms`)
})
