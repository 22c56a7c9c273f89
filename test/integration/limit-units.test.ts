// What a request counts for, and by which version it is counted.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Asking, limited } from '../harness/limited.ts'

test('a cost that an expression says: rounded up, bounded, and the most where there is no number', async t => {
  const cost = '{ cel: double(request.query.units), max: 6 }'
  const asking = await Asking.of(
    t,
    limited({ a: `{ requests: 100, per: day, by: { header: x-who }, cost: ${cost} }` }),
  )
  const costs: [query: string, counted: number][] = [
    ['?units=4', 4],
    ['?units=1.2', 2],
    ['?units=0', 1],
    ['?units=-50', 1],
    ['?units=6000', 6],
    ['?units=1e999', 6],
    ['?units=NaN', 6],
    ['?units=many', 6],
    ['', 6],
    ['?units=1&units=1', 6],
  ]
  for (const [query, counted] of costs) {
    const { status, headers } = await asking.get(`/a${query}`, { 'x-who': `who${query}` })
    assert.equal(status, 200)
    assert.match(String(headers['ratelimit']), new RegExp(`;r=${100 - counted};`), query)
  }
  const tight = await Asking.of(
    t,
    limited({
      a: `{ requests: 10, per: day, by: all, cost: { cel: "size(request.headers['x-n'])", max: 10 } }`,
    }),
  )
  const ask = async (length: number): Promise<number> =>
    (await tight.get('/a', { 'x-n': 'n'.repeat(length) })).status
  assert.deepEqual([await ask(7), await ask(4), await ask(3), await ask(1)], [200, 429, 200, 429])
})

test('by the version that is asked for', async t => {
  const asking = await Asking.of(t, limited({ a: '{ requests: 2, per: day, by: { accept: vnd.Shop } }' }))
  const accept = (type: string): Record<string, string> => ({ accept: type })
  assert.equal(await asking.room('/a', accept('application/vnd.shop.v1+json')), 2)
  assert.equal(await asking.room('/a', accept('application/vnd.shop.v2+json')), 2)
  assert.equal(await asking.room('/a', accept('text/html')), 2)
  assert.equal(await asking.room('/a', accept('*/*')), 0, 'those without are counted by their address')
  const { headers } = await asking.get('/a', accept('*/*'))
  assert.match(String(headers['ratelimit']), /^"accept.vnd.shop-day";/)
})
