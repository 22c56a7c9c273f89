// Bad endpoints over sockets: put aside by their traffic, by their check, by a breaker; what /upstreams, metrics and log
// say of it; and the way back. On a stepped clock.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { describeUpstreams, upstreamStates } from '../../sidecar/process/states.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const GET = 'GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'
const POST = 'POST /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'

/** A service whose status a test sets; counts what it was asked. */
class Service {
  status = 200
  health = 200
  requests = 0
  checks = 0
  readonly address: string
  readonly #upstream: HttpUpstream
  #listens = true
  private constructor(upstream: HttpUpstream) {
    this.#upstream = upstream
    this.address = `127.0.0.1:${upstream.port}`
  }
  static async start(): Promise<Service> {
    let service: Service | null = null
    const upstream = await HttpUpstream.listen((request, response) => {
      if (service === null) return
      if (request.url === '/health') {
        service.checks++
        response.statusCode = service.health
      } else {
        service.requests++
        response.statusCode = service.status
      }
      response.end()
    })
    service = new Service(upstream)
    return service
  }
  async close(): Promise<void> {
    if (this.#listens) await this.#upstream.close()
    this.#listens = false
  }
}

/** A proxy before some services. Everything ends with the test, which fails where the proxy left something behind. */
async function withServices(t: TestContext, count: number, upstream: string) {
  const services = await Promise.all(Array.from({ length: count }, async () => Service.start()))
  const yaml = (more: string): string => `version: 1
service: test
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    retry: off
    upstream: app
upstreams:
  app:
    endpoints: [${services.map(service => `"${service.address}"`).join(', ')}]
    loadBalance: round-robin
    ${more}
telemetry: { accessLog: on }
`
  const clock = new SteppedClock()
  const proxy = await InProcess.start(yaml(upstream), { clock })
  t.after(async () => {
    await proxy.stop()
    for (const service of services) await service.close()
  })
  const described = (): { health: string; endpoints: { address: string; state: string; why: string }[] } => {
    const all = describeUpstreams(proxy.service.holder.current.snapshot, clock) as ReturnType<
      typeof described
    >[]
    return all[0] as ReturnType<typeof described> // there is one
  }
  return {
    services,
    proxy,
    yaml,
    health: () => described().health,
    gauges: () => [...upstreamStates(proxy.service.holder.current.snapshot)][0],
    why: (service: Service) => described().endpoints.find(one => one.address === service.address)?.why,
    ask: async (times: number, request = POST): Promise<number[]> => {
      const statuses: number[] = []
      for (let i = 0; i < times; i++) statuses.push((await proxy.ask(request)).status)
      return statuses
    },
  }
}

test('five errors in a row eject an endpoint, a reload keeps that, and one request brings it back', async t => {
  const { services, proxy, yaml, ask, why, gauges } = await withServices(t, 3, '')
  const bad = services[1] as Service
  bad.status = 503
  const statuses = await ask(30)
  assert.equal(statuses.filter(status => status === 503).length, 5)
  assert.equal(bad.requests, 5)
  assert.equal(
    why(bad),
    'ejected since 2026-01-01T00:00:00.000Z until 2026-01-01T00:00:30.000Z for 5 consecutive errors, last: status 503',
  )
  assert.equal(why(services[0] as Service), 'healthy')
  const text = await proxy.metrics()
  assert.deepEqual(gauges()?.endpoints, { healthy: 2, unhealthy: 0, ejected: 1, probing: 0 })
  assert.match(text, /outrigger_upstream_ejections_total\{upstream="app",cause="consecutive_errors"\} 1/)
  const line = proxy.errors.find(one => one['msg'] === 'an endpoint is ejected')
  assert.deepEqual([line?.['endpoint'], line?.['seconds']], [bad.address, 30])

  await proxy.apply(yaml('limits: { inFlight: 99 }'))
  assert.deepEqual(new Set(await ask(6)), new Set([200]))
  assert.equal(bad.requests, 5)

  await proxy.step(30_000, 5_000)
  assert.match(why(bad) ?? '', /^probing since 2026-01-01T00:00:30/)
  // Still bad: the probe costs one request, and it is away for twice as long.
  const [first] = await ask(1)
  assert.equal(first, 503)
  assert.match(why(bad) ?? '', /until 2026-01-01T00:01:30.* a failed probe: status 503$/)
  bad.status = 200
  await proxy.step(60_000, 5_000)
  assert.deepEqual(new Set(await ask(9)), new Set([200]))
  assert.equal(why(bad), 'healthy')
  assert.ok(bad.requests >= 9, `${bad.requests}`)
})

test('an endpoint that nobody listens at any more is ejected, and the last one never', async t => {
  const { services, ask, why } = await withServices(t, 2, 'outlierDetection: { maxEjectedPercent: 100 }')
  const [gone, last] = services as [Service, Service]
  await gone.close()
  const statuses = await ask(20)
  assert.equal(statuses.filter(status => status === 502).length, 5)
  assert.match(why(gone) ?? '', /5 consecutive errors, last: upstream_connect_failed \(ECONNREFUSED\)$/)
  last.status = 503
  await ask(20)
  assert.equal(last.requests, 35)
  assert.equal(why(last), 'healthy')
})

test('off is off', async t => {
  const { services, ask } = await withServices(t, 2, 'outlierDetection: off')
  const bad = services[0] as Service
  bad.status = 503
  await ask(20)
  assert.equal(bad.requests, 10)
})

test('a failing check takes an endpoint out, and passing ones bring it back; all failing is no_endpoint', async t => {
  const { services, proxy, ask, why, gauges } = await withServices(t, 2, 'healthCheck: /health')
  const [one, other] = services as [Service, Service]
  const checked = async (): Promise<void> => {
    const before = [one.checks, other.checks]
    await proxy.step(11_000, 500)
    await proxy.until('the checks', () => one.checks > (before[0] ?? 0) && other.checks > (before[1] ?? 0))
    await turns(20)
  }
  await checked()
  one.health = 500
  for (let i = 0; i < 3; i++) await checked()
  assert.match(why(one) ?? '', /^check failing since 2026-01-01T00:00:\d\d\.\d{3}Z: status 500$/)
  assert.deepEqual(await ask(6), [200, 200, 200, 200, 200, 200])
  assert.equal(one.requests, 0)
  assert.equal(gauges()?.endpoints.unhealthy, 1)
  assert.ok(proxy.errors.some(line => line['msg'] === 'an endpoint fails its health check'))

  other.health = 503
  for (let i = 0; i < 3; i++) await checked()
  const refused = await proxy.ask(GET)
  assert.deepEqual([refused.status, reasonOf(refused)], [503, 'no_endpoint'])
  assert.doesNotMatch(refused.body.toString(), /status 5|127\.0/)
  const line = await proxy.accessLine(each => each.reason === 'no_endpoint')
  assert.match(String(line['cause']), /fails its check: status 500, .*fails its check: status 503/)

  one.health = 200
  for (let i = 0; i < 3; i++) await checked()
  assert.deepEqual(await ask(2), [200, 200])
  assert.equal(one.requests, 2)
})

test('four endpoints of which three fail their checks: panic, all are asked', async t => {
  const { services, proxy, ask, health, gauges } = await withServices(t, 4, 'healthCheck: /health')
  for (const service of services.slice(1)) service.health = 500
  await proxy.step(200)
  await proxy.until('the first checks', () => services.every(service => service.checks > 0))
  await proxy.until('what they said', () => health().startsWith('panic'))
  await ask(8)
  assert.deepEqual(
    services.map(service => service.requests),
    [2, 2, 2, 2],
  )
  assert.equal(gauges()?.panic, true)
})

test('a breaker refuses at once, says for how long, and closes by one probe', async t => {
  const { services, proxy, ask, gauges } = await withServices(t, 1, 'circuitBreaker: { failureThreshold: 3 }')
  const [service] = services as [Service]
  service.status = 503
  assert.deepEqual(await ask(3), [503, 503, 503])
  await proxy.step(4_500, 500)
  const refused = await proxy.ask(GET)
  assert.deepEqual([refused.status, reasonOf(refused)], [503, 'circuit_open'])
  assert.equal(refused.headers['retry-after'], '26')
  assert.equal(service.requests, 3)
  assert.equal(gauges()?.breaker, 2)
  assert.match(await proxy.metrics(), /outrigger_circuit_breaker_opened_total\{upstream="app"\} 1/)
  service.status = 200
  await proxy.step(26_000, 2_000)
  assert.deepEqual(await ask(3), [200, 200, 200])
  assert.equal(gauges()?.breaker, 0)
})

test('limits.connections: an idle connection to one endpoint makes room for one to another', async t => {
  const { services, proxy, ask } = await withServices(t, 3, 'limits: { connections: 2 }')
  await ask(9)
  assert.ok(services.every(service => service.requests === 3))
  const [upstream] = [...proxy.service.holder.current.snapshot.upstreams.values()]
  const open = upstream?.endpoints.reduce((sum, endpoint) => sum + endpoint.pool.open, 0)
  assert.ok(open !== undefined && open <= 2, `${open} open`)
})
