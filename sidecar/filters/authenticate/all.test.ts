import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../../exchange/proxy-error.ts'
import { authenticates, identityFixture } from './identity-fixture.ts'
import type { IntrospectionProvider } from './schema.ts'

/** Asking it is a bug that throws: what it names is no URL, which the loader has checked. */
const BROKEN: IntrospectionProvider = {
  name: 'broken',
  url: 'nowhere',
  clientId: 'x',
  clientSecret: 'x',
  timeout: 1_000,
  cache: 0,
  issuer: null,
  audiences: null,
  expires: false,
  skew: 0,
  from: { kind: 'bearer' },
  forward: true,
  subject: 'sub',
  groups: null,
  claimHeaders: [],
  digest: '',
}

test('who is refused at once is refused, and what was begun before for the same request ends nobody else’s', async () => {
  const spec = identityFixture({
    introspection: { broken: BROKEN },
    apiKey: { clients: { name: 'clients', from: { kind: 'header', name: 'x-api-key' } } },
  })
  const ways = [
    { kind: 'introspection', name: 'broken' },
    { kind: 'apiKey', name: 'clients' },
  ] as const
  const ask = await authenticates(spec, { mode: 'all', ways })
  const unhandled: unknown[] = []
  const hear = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', hear)
  for (const key of [['x-api-key', 'wrong'], []]) {
    const { verdict } = await ask(['authorization', 'Bearer token', ...key])
    assert.ok(verdict instanceof ProxyError)
    assert.equal(verdict.status, 401)
  }
  await new Promise(resolve => setImmediate(resolve))
  process.off('unhandledRejection', hear)
  assert.deepEqual(unhandled, [])
})
