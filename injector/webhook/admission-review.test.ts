import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isObject } from '../../sidecar/kubernetes/api-object.ts'
import { reviewOf } from '../../test/harness/fake-cluster.ts'
import { readReview, reviewAnswer } from './admission-review.ts'

describe('a review', () => {
  test('is read', () => {
    const request = readReview(
      JSON.stringify(reviewOf({ spec: {} }, { dryRun: true, subResource: 'status' })),
    )
    assert.deepEqual(request, {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: 'Pod',
      subResource: 'status',
      operation: 'CREATE',
      namespace: 'shop',
      dryRun: true,
      object: { spec: {} },
    })
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' }
    const other = readReview(JSON.stringify(reviewOf({}, { kind, dryRun: 'yes' })))
    assert.ok('kind' in other)
    assert.deepEqual([other.kind, other.dryRun], ['apps/Deployment', false])
  })

  test('as deep as a pod may be, and one deeper', () => {
    const nest = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth))
    assert.ok('uid' in readReview(JSON.stringify(reviewOf(nest(128)))))
    assert.ok('reason' in readReview(JSON.stringify(reviewOf(nest(129)))))
  })

  test('whatever comes, it is a request or a problem, and nothing is thrown', () => {
    const paths = ['kind', 'apiVersion', 'request', 'uid', 'operation', 'namespace', 'dryRun', 'object']
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), fc.boolean(), (key, value, isWhole) => {
        const review = reviewOf({ spec: {} })
        const changed = isWhole
          ? { ...review, [key]: value }
          : { ...review, request: { ...review.request, [key]: value } }
        const read = readReview(JSON.stringify(changed))
        if ('reason' in read) assert.ok(read.detail.length > 0)
        else assert.ok(typeof read.uid === 'string' && typeof read.kind === 'string')
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), text => {
        assert.ok('reason' in readReview(text))
      }),
    )
  })
})

test('an answer always allows, and its warnings can be fields of HTTP', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ unit: fc.constantFrom('a', '\r\n', '\u0000', '\u{1F6A3}', 'é'), maxLength: 600 }),
        { maxLength: 20 },
      ),
      warnings => {
        const answer: unknown = JSON.parse(reviewAnswer('u', [], { warnings, audit: { a: 'b' } }))
        assert.ok(isObject(answer) && isObject(answer['response']))
        const { allowed, uid, patch, warnings: said = [] } = answer['response']
        assert.deepEqual([allowed, uid, patch], [true, 'u', undefined])
        assert.ok(Array.isArray(said) && said.length <= 8)
        for (const one of said) assert.match(String(one), /^[\x20-\x7e]{0,250}$/)
      },
    ),
    { numRuns: 30 },
  )
})
