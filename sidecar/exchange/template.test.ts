import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeFixture } from './exchange-fixture.ts'
import { fillTemplate, parseTemplate } from './template.ts'

test('templates are filled from the request and from path parameters', () => {
  const exchange = exchangeFixture()
  const fill = (template: string) => fillTemplate(parseTemplate(template), exchange, value => `<${value}>`)
  assert.equal(fill('a{request.path}'), null)
  exchange.request = {
    method: 'GET',
    scheme: 'https',
    host: 'h',
    port: 81,
    path: '/p',
    query: 'q=1',
    hasQuery: true,
  }
  exchange.params = { id: 'a b' }
  assert.equal(fill('plain'), 'plain')
  assert.equal(fill(''), '')
  assert.equal(fill("{'{'}{id}{'}'}"), '{<a b>}')
  assert.equal(
    fill('{request.scheme}://{request.host}{request.path}?{request.query} {request.uri} { request.method }'),
    'https://h/p?q=1 /p?q=1 <GET>',
  )
  assert.equal(fill('x{other}'), null)
  for (const wrong of ['{', '}', 'a{b', 'a}b', '{}', '{claims.sub}', '{request.nothing}', '{a b}'])
    assert.throws(() => parseTemplate(wrong), wrong)
})
