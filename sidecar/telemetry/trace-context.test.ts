import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTraceparent, parseTraceparent, parseTracestate } from './trace-context.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

test('a valid traceparent is read and written', () => {
  const context = parseTraceparent(`00-${TRACE}-${SPAN}-01`)
  assert.deepEqual(context, { traceId: TRACE, parentId: SPAN, sampled: true, flags: 1 })
  assert.ok(context !== null)
  assert.equal(formatTraceparent(context), `00-${TRACE}-${SPAN}-01`)
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-00`)?.sampled, false)
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-03`)?.sampled, true)
})

test('a later version may have more at its end', () => {
  assert.equal(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-the-future`)?.traceId, TRACE)
  assert.equal(parseTraceparent(`cc-${TRACE}-${SPAN}-01`)?.traceId, TRACE)
})

for (const bad of [
  '',
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-1`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-01 `,
  `ff-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01.x`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-0g`,
  `00-${TRACE}-${SPAN}-01\n`,
  `cc-${TRACE}-${SPAN}-01-${'x'.repeat(1_000)}`,
]) {
  test(`traceparent refused: ${JSON.stringify(bad.slice(0, 70))}`, () => {
    assert.equal(parseTraceparent(bad), null)
  })
}

test('tracestate: lines are joined, white space around members goes', () => {
  assert.equal(parseTracestate(['a=1 ,\tb=2', '', 'tenant@vendor=x;y:z']), 'a=1,b=2,tenant@vendor=x;y:z')
  assert.equal(parseTracestate([]), null)
  assert.equal(parseTracestate([' , ']), null)
})

test('tracestate refused: bad members, a key twice, too many', () => {
  for (const bad of ['a', '=1', 'a=', 'A=1', 'a=1,a=2', 'a=b=c', 'a=\x01', '1a=1', `a=${'x'.repeat(257)}`])
    assert.equal(parseTracestate([bad]), null, bad)
  const members = Array.from({ length: 33 }, (_, i) => `k${i}=1`)
  assert.equal(parseTracestate([members.join(',')]), null)
  assert.notEqual(parseTracestate([members.slice(1).join(',')]), null)
})
