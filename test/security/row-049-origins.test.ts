// Row 49: browsers send cookies, client certificates and the password that was typed in once by themselves, to whatever
// page asks: who is known by one of these opens a WebSocket from the own page only.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { withGuard } from '../harness/guarded.ts'
import { SECRET, sharedToken } from '../harness/tokens.ts'

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

test('row 49: pages of others open no WebSocket with what a browser sends by itself', async t => {
  const { get } = await withGuard(t, {
    authenticate: '{ anyOf: [basic: people, apiKey: cookies, jwt: main] }',
    authentication: `basic: { people: { users: { alice: { sha256: ${hash('sha256', 'wonderland')} } } } }
apiKey: { cookies: { cookie: key } }
jwt: { main: { issuer: off, audiences: off, expiry: off, secret: "${SECRET}", from: { header: x-token } } }`,
    top: `consumers: [{ name: web, apiKeys: { sha256: ${hash('sha256', 'web-key')} } }]\n`,
  })
  const ambient = [
    { authorization: `Basic ${Buffer.from('alice:wonderland').toString('base64')}` },
    { cookie: 'key=web-key' },
  ]
  for (const credential of ambient) {
    for (const origin of ['https://elsewhere.example', 'null', 'http://shop.example.evil.example'])
      assert.equal((await get('/x', { ...UPGRADE, ...credential, origin })).status, 403, origin)
    // The service knows no WebSockets, and answers as it does.
    assert.equal((await get('/x', { ...UPGRADE, ...credential, origin: 'http://shop.example' })).status, 200)
    assert.equal((await get('/x', { ...UPGRADE, ...credential })).status, 200)
  }
  // No page can set it.
  const token = { 'x-token': await sharedToken({ sub: 'alice' }) }
  assert.equal((await get('/x', { ...UPGRADE, ...token, origin: 'https://elsewhere.example' })).status, 200)
})
