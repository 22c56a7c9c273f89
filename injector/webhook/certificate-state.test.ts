import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  bundleOf,
  type CertificateState,
  type CertificateWish,
  isUsable,
  notAfterOf,
  renew,
} from './certificate-state.ts'

const HOUR = 3_600_000
const START = Date.UTC(2026, 0, 1)
const WISH: CertificateWish = {
  names: ['a.shop.svc', 'a.shop.svc.cluster.local'],
  lives: { authority: 1_000 * HOUR, serving: 100 * HOUR, overlap: 10 * HOUR },
}

async function first(): Promise<CertificateState> {
  const state = await renew(null, WISH, false, START)
  assert.ok(state !== null)
  return state
}

/** Whether whoever trusts a bundle trusts what a state is served with. */
function trusts(bundle: string, { serving }: CertificateState, now: number): boolean {
  const certificate = new X509Certificate(serving.cert)
  if (now >= notAfterOf(serving.cert)) return false
  return bundle
    .split(/(?=-----BEGIN)/)
    .map(pem => new X509Certificate(pem))
    .some(authority => certificate.verify(authority.publicKey) && now < authority.validToDate.getTime())
}

describe('renewal', () => {
  test('begins with one authority and a certificate for the names', async () => {
    const state = await first()
    assert.equal(bundleOf(state), state.current.cert)
    assert.ok(isUsable(state, START))
    const serving = new X509Certificate(state.serving.cert)
    for (const name of WISH.names) assert.ok(serving.checkHost(name) !== undefined)
    assert.equal(notAfterOf(state.serving.cert), START + WISH.lives.serving)
    assert.equal(await renew(state, WISH, false, START + 49 * HOUR), null)
  })

  test('the certificate at half of its life, by the same authority', async () => {
    const state = await first()
    const next = await renew(state, WISH, false, START + 50 * HOUR)
    assert.ok(next !== null && next.serving !== state.serving)
    assert.deepEqual([next.current, next.next, next.previous], [state.current, null, null])
    const named = await renew(state, { ...WISH, names: ['b.shop.svc'] }, false, START)
    assert.notEqual(named?.serving.cert, state.serving.cert)
  })

  test('the authority: trusted, then it signs, then the old one goes', async () => {
    let state = await first()
    const go = async (hours: number, announced: boolean): Promise<CertificateState> => {
      state = (await renew(state, WISH, announced, START + hours * HOUR)) ?? state
      return state
    }
    for (let hours = 0; hours < 500; hours += 50) await go(hours, false)
    const old = state.current
    const announced = await go(500, false)
    assert.ok(announced.next !== null)
    assert.equal(announced.current, old)
    assert.equal(bundleOf(announced), old.cert + announced.next.cert)
    // Too early; and late enough, but the API server was not told.
    assert.equal((await go(509, true)).current, old)
    assert.equal((await go(515, false)).current, old)
    const switched = await go(516, true)
    assert.equal(switched.current, announced.next)
    assert.ok(trusts(switched.current.cert, switched, START + 516 * HOUR))
    assert.equal(bundleOf(switched), switched.current.cert + old.cert)
    assert.equal(switched.previous?.until, notAfterOf(announced.serving.cert))
    assert.ok((await go(599, true)).previous !== null)
    assert.equal((await go(600, true)).previous, null)
    assert.equal(bundleOf(state), switched.current.cert)
  })

  test('what is over or broken begins anew, and what can be trusted still is', async () => {
    const state = await first()
    const other = await first()
    const late = await renew(state, WISH, false, START + 150 * HOUR)
    assert.ok(late !== null && isUsable(late, START + 150 * HOUR))
    assert.equal(late.previous?.cert, state.current.cert)
    const over = await renew(state, WISH, false, START + 2_000 * HOUR)
    assert.equal(over?.previous, null)
    for (const broken of [
      { ...state, current: { ...state.current, key: other.current.key } },
      { ...state, serving: other.serving },
      { ...state, serving: { cert: 'x', key: 'y' } },
      { ...state, next: { cert: '', key: '' } },
    ]) {
      const whole = await renew(broken, WISH, true, START + HOUR)
      assert.ok(whole !== null && isUsable(whole, START + HOUR))
      assert.ok(bundleOf(whole).includes(state.current.cert))
    }
    const nothing = await renew({ ...state, current: { cert: 'x', key: 'y' } }, WISH, false, START)
    assert.ok(nothing !== null && isUsable(nothing, START))
    assert.equal(nothing.previous, null)
  })

  test('replicas and an API server that come late trust each other at every time', async () => {
    // Each step: how much later, which of two replicas looks (2: none), and whether the API server looks at the bundle.
    const step = fc.record({
      hours: fc.integer({ min: 1, max: 9 }),
      replica: fc.integer({ min: 0, max: 2 }),
      isRead: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 150, maxLength: 250 }), async steps => {
        let stored = await first()
        const replicas = [stored, stored]
        // When each looked last: later than so many hours is a replica, or an API server, that is out of order.
        const looked = [START, START]
        let bundle = bundleOf(stored)
        let seen = bundle
        let seenAt = START
        let now = START
        for (const { hours, replica, isRead } of steps) {
          now += hours * HOUR
          for (const one of [0, 1]) {
            if (one !== replica && now - (looked[one] ?? 0) < 40 * HOUR) continue
            stored = (await renew(stored, WISH, bundle === bundleOf(stored), now)) ?? stored
            replicas[one] = stored
            looked[one] = now
            bundle = bundleOf(stored)
          }
          if (isRead || now - seenAt >= WISH.lives.overlap - 9 * HOUR) {
            seen = bundle
            seenAt = now
          }
          for (const one of replicas) assert.ok(trusts(seen, one, now), `at ${(now - START) / HOUR} h`)
        }
        assert.ok(now > START + 150 * HOUR)
      }),
      { numRuns: 3, endOnFailure: true },
    )
  })
})
