import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { loadExpressions } from '../../exchange/expression/expression.ts'
import { ConsumerDirectory } from './consumers.ts'

before(() => loadExpressions())

const credential = {
  ...({ method: 'jwt', provider: 'main', scopes: [], expiresAt: null } as const),
  ...{ subject: 'alice', groups: ['staff'] as readonly string[] },
}

test('a caller has its own plan, else the first that fits by group or expression', () => {
  const plans = [
    { name: 'gold', groups: ['gold'], when: 'claims.tier == "gold"' },
    { name: 'staff', groups: ['staff'], when: null },
    { name: 'token', groups: [], when: 'auth.method == "jwt" && consumer.name.startsWith("main/")' },
    { name: 'named', groups: [], when: null },
    { name: 'rest', groups: [], when: 'true' },
  ]
  const directory = new ConsumerDirectory({
    providers: { jwt: {}, apiKey: {}, mtls: {}, basic: {}, introspection: {}, oidc: {} },
    ...{ consumers: [], plans, digest: '' },
  })
  const planOf = (some: Partial<Parameters<ConsumerDirectory['caller']>[1]>, own?: string | null) =>
    directory.caller(own === undefined ? undefined : { name: 'acme', groups: [], plan: own }, {
      ...credential,
      claims: {},
      ...some,
    }).plan
  assert.equal(planOf({ claims: { tier: 'gold' } }), 'gold')
  assert.equal(planOf({ groups: ['x', 'gold'] }), 'gold')
  assert.equal(planOf({ claims: { tier: ['gold'] } }), 'staff')
  assert.equal(planOf({ groups: [] }), 'token')
  assert.equal(planOf({ groups: [], method: 'basic' }), 'rest')
  assert.equal(planOf({}, 'named'), 'named')
  assert.equal(planOf({ claims: { tier: 'gold' } }, null), 'gold')
  assert.equal(planOf({}, null), 'rest')
})
