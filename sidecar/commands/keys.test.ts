import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { keys } from './keys.ts'

async function ran(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await keys.run(args, {
    stdout: text => void (out += text),
    stderr: text => void (err += text),
  })
  return { code, out, err }
}

test('a key has 256 bits, and its entry holds its digest', async () => {
  const { code, out } = await ran('new')
  assert.equal(code, 0)
  const [, key = '', digest] =
    /^key {4}(og_[\w-]{43})\nentry {2}apiKeys: \[\{ sha256: ([0-9a-f]{64}) \}\]\n$/.exec(out) ?? []
  assert.equal(digest, hash('sha256', key))
  assert.notEqual((await ran('new')).out, out)
})

test('prefix and end are as asked', async () => {
  const { out } = await ran('new', '--prefix', 'shop-', '--expires', '2999-01-01')
  assert.match(out, /^key {4}shop-[\w-]{43}\nentry .*, expires: 2999-01-01 \}\]\n$/)
})

test('what cannot be is told with exit code 2', async () => {
  for (const args of [
    [],
    ['old'],
    ['new', 'x'],
    ['new', '--prefix', 'a b'],
    ['new', '--expires', '2027-13-01'],
    ['new', '--expires', '2020-01-01'],
    ['new', '--x'],
  ])
    assert.deepEqual([(await ran(...args)).code, (await ran(...args)).out], [2, ''])
})
