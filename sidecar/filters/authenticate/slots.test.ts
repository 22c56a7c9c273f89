import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slots } from './slots.ts'
import { VerifiedTokens } from './verified-tokens.ts'

test('so much runs, so much waits in turn, and the rest is turned away', async () => {
  const slots = new Slots(1, 2)
  const done: string[] = []
  const gate = Promise.withResolvers<void>()
  const run = (name: string) => slots.run(async () => void (await gate.promise, done.push(name)))
  const all = [run('a'), run('b'), run('c')]
  assert.equal(run('d'), null)
  gate.resolve()
  for (const one of all) await one
  assert.deepEqual(done, ['a', 'b', 'c'])
  await run('e')
  // Work that fails gives its place back as well.
  await assert.rejects(slots.run(() => Promise.reject(new Error('x'))) ?? Promise.resolve())
  await run('f')
  assert.deepEqual(done.slice(3), ['e', 'f'])
})

test('what is used stays, what is not goes, and there is never more than so much', () => {
  const kept = new VerifiedTokens<{ until: number; name: string }>(100)
  kept.set('often', { until: 10, name: 'often' })
  for (let i = 0; i < 10_000; i++) {
    kept.set(`once-${i}`, { until: 10, name: '' })
    if (i % 10 === 0) assert.equal(kept.get('often', 9)?.name, 'often')
    assert.ok(kept.size <= 100)
  }
  assert.equal(kept.get('often', 10), undefined)
  assert.equal(kept.get('often', 9), undefined)
  kept.set('a', { until: 10, name: 'a' })
  kept.clear()
  assert.equal(kept.get('a', 0), undefined)
})
