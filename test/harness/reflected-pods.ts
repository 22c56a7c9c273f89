import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { FakeKubernetesApi } from './fake-kubernetes-api.ts'
import { turns } from './in-process.ts'
import { SteppedClock } from './stepped-clock.ts'
import { seededRandom } from '../../sidecar/runtime/random.ts'
import { TimerWheel } from '../../sidecar/runtime/timer-wheel.ts'
import { type ApiBounds, ApiClient } from '../../sidecar/kubernetes/api-client.ts'
import { textOf } from '../../sidecar/kubernetes/api-object.ts'
import { Reflector } from '../../sidecar/kubernetes/reflector.ts'

/** The collection that it reflects. */
export const PODS = '/api/v1/namespaces/shop/pods'
/** What its objects are selected by. */
export const labels = { app: 'orders' }

/** A server, and a reflector of its pods of `orders` on a clock that the test steps. */
export async function setUp(
  t: TestContext,
  {
    seed = 1,
    bounds = {},
    ready,
  }: { seed?: number; bounds?: ApiBounds; ready?: (api: FakeKubernetesApi) => void } = {},
) {
  const api = await FakeKubernetesApi.start()
  ready?.(api)
  const clock = new SteppedClock()
  const wheel = clock.drive(new TimerWheel(clock))
  const client = new ApiClient({ url: api.url, caFile: null, tokenFile: null, namespaceFile: null }, bounds)
  const seen = { changes: 0 }
  const reflector = new Reflector(
    {
      path: PODS,
      labelSelector: 'app=orders',
      read: object => (object['phase'] === 'unreadable' ? null : textOf(object['phase'])),
    },
    { client, wheel, random: seededRandom(seed), changed: () => seen.changes++ },
  )
  t.after(async () => {
    reflector.close()
    client.close()
    await api.close()
    assert.equal(wheel.size, 0, 'a timer is left')
  })
  const put = (name: string, phase: string): void =>
    void api.put(`${PODS}/${name}`, { metadata: { labels }, phase })
  /** Waits, without stepping the clock, until it holds. */
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let i = 0; i < 5000 && !holds(); i++) await turns(1)
    assert.ok(holds(), `${what}: ${shown()}, ${reflector.error}`)
  }
  const shown = (): string =>
    reflector.objects === null
      ? 'nothing'
      : [...reflector.objects].map(([key, phase]) => `${key.replace('shop/', '')}=${phase}`).join(' ')
  const shows = (text: string): Promise<void> => until(`it shows ${text}`, () => shown() === text)
  const asked = (watch: boolean) =>
    api.requests.filter(one => one.path === PODS && (one.query['watch'] === 'true') === watch)
  const watching = (): Promise<void> =>
    until('a watch is open', () => reflector.watching && api.watches === 1)
  /** Steps the clock until it holds, and says how many milliseconds that took. */
  const steps = async (what: string, holds: () => boolean, most = 60_000): Promise<number> => {
    for (let time = 0; time <= most; time += 100) {
      for (let i = 0; i < 20 && !holds(); i++) await turns(1)
      if (holds()) return time
      clock.step(100)
    }
    assert.fail(`${what} not within ${most} ms: ${shown()}, ${reflector.error}`)
  }
  return { api, clock, reflector, seen, put, until, shown, shows, asked, watching, steps }
}
