import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadJose } from '../jwt/jose.ts'
import { Sealer } from './sealer.ts'

const jose = await loadJose()
const [OLD, NEW] = [
  'an old secret, as long as it has to be',
  'a new secret, as long as it has to be',
] as const

test('what is sealed is opened, by the same secret and for the same purpose alone', async () => {
  const sealer = new Sealer(jose, [OLD], 'session a')
  const sealed = await sealer.seal({ a: 1, b: ['ü'] })
  assert.match(sealed, /^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
  assert.deepEqual({ ...(await sealer.open(sealed)) }, { a: 1, b: ['ü'] })
  assert.equal(await new Sealer(jose, [OLD], 'session b').open(sealed), null)
  assert.equal(await new Sealer(jose, [OLD], 'login a').open(sealed), null)
  assert.equal(await new Sealer(jose, [NEW], 'session a').open(sealed), null)
})

test('after a rotation what the older secret sealed is opened, and the first one seals', async () => {
  const sealed = await new Sealer(jose, [OLD], 'x').seal({ a: 1 })
  const both = new Sealer(jose, [NEW, OLD], 'x')
  assert.deepEqual({ ...(await both.open(sealed)) }, { a: 1 })
  const fresh = await both.seal({ a: 2 })
  assert.deepEqual({ ...(await new Sealer(jose, [NEW], 'x').open(fresh)) }, { a: 2 })
})

test('whatever is changed, it is none of ours', async () => {
  const sealer = new Sealer(jose, [OLD], 'x')
  const sealed = await sealer.seal({ admin: false })
  for (let at = 0; at < sealed.length; at += 3) {
    const other = sealed[at] === 'A' ? 'B' : 'A'
    const text = sealed.slice(0, at) + other + sealed.slice(at + 1)
    const opened = await sealer.open(text)
    // Bits that pad the last character of a part are no bits of it.
    if (opened !== null) assert.deepEqual({ ...opened }, { admin: false })
    if (at % 3 === 0 && !sealed.slice(at + 1).startsWith('.') && at < sealed.length - 1)
      assert.equal(opened, null)
  }
  for (const text of ['', 'x', 'a.b.c', '....', sealed.slice(1), `${sealed}.`])
    assert.equal(await sealer.open(text), null)
})

test('no other algorithm than ours', async () => {
  const key = new Uint8Array(32)
  for (const header of [
    { alg: 'dir', enc: 'A256CBC-HS512' },
    { alg: 'A256KW', enc: 'A256GCM' },
  ]) {
    const bytes = header.enc === 'A256GCM' ? key : new Uint8Array(64)
    const text = await new jose.CompactEncrypt(new Uint8Array([0x7b, 0x7d]))
      .setProtectedHeader(header)
      .encrypt(bytes)
    assert.equal(await new Sealer(jose, [OLD], 'x').open(text), null)
  }
})
