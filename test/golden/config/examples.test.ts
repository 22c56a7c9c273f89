import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { formatConfigErrors } from '../../../sidecar/config/config-error.ts'
import { environmentsOf, loadConfig } from '../../../sidecar/config/load/load.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const environment = { JWT_SECRET: 'a-secret-that-both-sides-know-123456', REDIS_URL: 'redis://127.0.0.1:6379' }

test('the smallest sidecar loads', () => {
  const result = loadConfig(['examples/config/sidecar-minimal.yaml'], { secrets: true, environment, cwd: root })
  assert.ok(result.ok, result.ok ? '' : formatConfigErrors(result.errors))
  assert.equal(result.config.listeners[0]?.routes[0]?.name, 'inbound')
  assert.deepEqual(Object.keys(result.config.upstreams), ['app'])
})

test('the fuller sidecar loads', () => {
  const result = loadConfig(['examples/config/sidecar.yaml'], { secrets: true, environment, cwd: root })
  assert.ok(result.ok, result.ok ? '' : formatConfigErrors(result.errors))
})

for (const [env, numbers, store] of [
  [undefined, [100, 1000], null],
  ['development', [1000, 10_000], null],
  ['production', [100, 1000], 'default'],
] as const) {
  test(`examples/config/edge.yaml loads with the limits of ${env ?? 'no environment'}`, () => {
    const variables = { JWT_SECRET: 's'.repeat(32), REDIS_URL: 'redis://redis:6379' }
    const options = { env, secrets: true, environment: variables, cwd: root }
    const result = loadConfig(['examples/config/edge.yaml'], options)
    assert.ok(result.ok, result.ok ? '' : formatConfigErrors(result.errors))
    for (const route of result.config.listeners[0]?.routes ?? []) {
      const { outer = [], own = [] } = route.policies.rateLimit ?? {}
      assert.deepEqual(
        outer.map(limit => [limit.name, limit.quota, limit.scope, limit.store]),
        [
          ['consumer-minute', numbers[0], 'defaults', store],
          ['consumer-hour', numbers[1], 'defaults', store],
        ],
      )
      assert.deepEqual(own, [])
    }
  })
}

for (const file of ['sidecar.yaml', 'edge.yaml']) {
  test(`config/${file} loads in every environment`, () => {
    const environments = [undefined, ...environmentsOf([`config/${file}`], root)]
    if (file === 'edge.yaml') assert.deepEqual(environments, [undefined, 'development', 'production'])
    for (const env of environments) {
      const result = loadConfig([`config/${file}`], { env, secrets: true, environment, cwd: root })
      assert.ok(result.ok, result.ok ? '' : formatConfigErrors(result.errors))
    }
  })
}
