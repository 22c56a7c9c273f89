import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostTwice, readUpstreams } from './upstream-name.ts'

const names = (count: number): string => Array.from({ length: count }, (_, index) => `u${index}`).join(',')

test('upstreams as they are written', () => {
  assert.deepEqual(readUpstreams('users, items=items.shop:8080 billing=https://billing.example/v2'), [
    { name: 'users', url: 'http://users' },
    { name: 'items', url: 'http://items.shop:8080' },
    { name: 'billing', url: 'https://billing.example/v2' },
  ])
  assert.deepEqual(readUpstreams(' ,'), [])
})

for (const [text, problem] of [
  ['users=users:99999', /"users=users:99999" names no host and no URL/],
  ['users=users:0', /names no host/],
  ['users=300.1.1.1', /names no host/],
  ['users=a=b', /names no host/],
  ['app-8080=elsewhere', /"app-8080" is a name of the injector's own/],
  ['probe-8080', /is a name of the injector's own/],
  ['users,USERS=other', /"USERS" is there twice/],
  [names(257), /257 upstreams, and 256 are the most/],
] as const) {
  test(`${text.slice(0, 30)}: ${problem.source}`, () => {
    const read = readUpstreams(text)
    assert.ok(typeof read === 'string')
    assert.match(read, problem)
  })
}

test('a long list costs no more than reading it', () => {
  // Whoever may create pods writes it, and one event loop answers for the whole cluster: this many took minutes.
  const text = names(200_000)
  const begun = process.cpuUsage().user
  assert.equal(typeof readUpstreams(text), 'string')
  assert.ok(process.cpuUsage().user - begun < 2_000_000)
})

test('a host by which two upstreams would be found', () => {
  const twice = (text: string): string | null => {
    const read = readUpstreams(text)
    assert.ok(typeof read !== 'string')
    return hostTwice(read)
  }
  assert.equal(twice('a=x:1,b=x:2'), 'x')
  assert.equal(twice('a=b,b=c'), 'b')
  assert.equal(twice('a=http://A,b=c'), null)
  assert.equal(twice('a,b=c:80'), null)
})
