import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IntrospectionServer } from '../../../../test/harness/introspection-server.ts'
import { authenticates, identityFixture } from '../identity-fixture.ts'

test('RFC 8705, section 3.2: a token that is bound to a certificate is good on its connection', async t => {
  const issuer = await IntrospectionServer.start()
  t.after(() => issuer.stop())
  const fingerprint = 'ab'.repeat(32)
  const cnf = { 'x5t#S256': Buffer.from(fingerprint, 'hex').toString('base64url') }
  issuer.tokens.set('bound', { active: true, sub: 'alice', cnf })
  const provider = {
    name: 'id',
    url: issuer.url,
    clientId: 'edge',
    clientSecret: 'secret',
    timeout: 2_000,
    cache: 60_000,
    issuer: null,
    audiences: null,
    expires: false,
    skew: 0,
    subject: 'sub',
    groups: null,
    claimHeaders: [],
    from: { kind: 'bearer' },
    forward: true,
    digest: '',
  } as const
  const ask = await authenticates(identityFixture({ introspection: { id: provider } }), {
    ways: [{ kind: 'introspection', name: 'id' }],
  })
  const identity = { spiffe: '', dns: [], subject: '', fingerprint, notAfter: 0 }
  const other = { ...identity, fingerprint: 'cd'.repeat(32) }
  // Asked about, then known.
  for (let i = 0; i < 2; i++) {
    const { exchange } = await ask(['authorization', 'Bearer bound'], { identity })
    assert.equal(exchange.caller?.name, 'id/alice')
    for (const peer of [{ identity: other }, { identity: null }])
      assert.equal((await ask(['authorization', 'Bearer bound'], peer)).exchange.caller, null)
  }
  assert.equal(issuer.asked.length, 1)
})
