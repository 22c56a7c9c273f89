import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptedVersion } from './accepted-version.ts'

test('the version in a media type of the vendor, or in its parameter', () => {
  const cases: [accept: string, version: string | null][] = [
    ['application/vnd.shop.v2+json', 'v2'],
    ['application/vnd.shop.v2', 'v2'],
    ['Application/VND.Shop.V2+JSON', 'v2'],
    ['application/vnd.shop+json; version=2', '2'],
    ['application/vnd.shop+json;version="2.1"', '2.1'],
    ['text/html, application/vnd.shop.v1+json;q=0.8, */*;q=0.1', 'v1'],
    ['application/vnd.shop.v1+json;q=0.8, application/vnd.shop.v2+json', 'v2'],
    ['application/vnd.shop.v1+json;q=0.5, application/vnd.shop.v2+json;q=0.5', 'v1'],
    ['application/vnd.shop.v1+json;q=0', null],
    ['application/vnd.shop.v1+json;q=2', null],
    ['text/html;x=", application/vnd.shop.v9+json"', null],
    ['text/html;x="\\", application/vnd.shop.v9+json', null],
    ['text/html;x="a\\"", application/vnd.shop.v9+json', 'v9'],
    ['application/vnd.shop+json', null],
    ['application/vnd.shop.+json', null],
    ['application/vnd.shopping.v2+json', null],
    ['application/vnd.shop.v2/x', null],
    ['application/x.vnd.shop.v2+json', null],
    ['vnd.shop.v2', null],
    [`application/vnd.shop.${'v'.repeat(65)}+json`, null],
    ['application/vnd.shop.v 2+json', null],
    ['', null],
  ]
  for (const [accept, version] of cases)
    assert.equal(acceptedVersion(['accept', accept], 'vnd.shop'), version, accept)
  assert.equal(acceptedVersion(['host', 'application/vnd.shop.v2'], 'vnd.shop'), null)
  const lines = ['accept', 'application/vnd.shop.v1;q=0.1', 'x', 'y', 'accept', 'application/vnd.shop.v2']
  assert.equal(acceptedVersion(lines, 'vnd.shop'), 'v2')
})
