import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readLlhttpCases } from './llhttp-cases.ts'

const fence = '```'
const file = `Cases
=====

## Two messages

<!-- meta={"type": "request"} -->
${fence}http
GET /a HTTP/1.1
X: 1\\t\\
2

GET /b HTTP/1.1

${fence}

${fence}log
off=0 message begin
off=0 len=3 span[method]="GET"
off=4 len=2 span[url]="/a"
off=7 len=4 span[protocol]="HTTP"
off=12 len=3 span[version]="1.1"
off=15 version complete
off=17 len=1 span[header_field]="X"
off=19 header_field complete
off=26 headers complete method=1 v=1/1 flags=0 content_length=0
off=26 message complete
off=26 message begin
off=26 len=3 span[method]="GET"
off=41 version complete
off=45 headers complete method=1 v=1/1 flags=0 content_length=0
off=45 message complete
${fence}

### Refused

<!-- meta={"type": "request", "noScan": true} -->
${fence}http
GET / HTTP/1.1
A\\x01: b


${fence}

${fence}log
off=0 message begin
off=14 version complete
off=17 error code=10 reason="Invalid header token"
${fence}

### Another mode

<!-- meta={"type": "request-lenient-headers"} -->
${fence}http
GET / HTTP/1.1


${fence}

${fence}log
off=0 message begin
${fence}
`

test('reads bytes, messages and the fault of strict cases only', () => {
  const [both, refused, ...rest] = readLlhttpCases(file)
  assert.deepEqual(rest, [])
  assert.equal(both?.name, 'Two messages')
  assert.equal(both.error, null)
  assert.equal(both.bytes.toString(), 'GET /a HTTP/1.1\r\nX: 1\t2\r\n\r\nGET /b HTTP/1.1\r\n')
  assert.deepEqual(
    both.messages.map(({ method, target, fieldsAt, complete }) => ({ method, target, fieldsAt, complete })),
    [
      { method: 'GET', target: '/a', fieldsAt: 17, complete: true },
      { method: 'GET', target: '', fieldsAt: 43, complete: true },
    ],
  )
  assert.equal(refused?.error, 'Invalid header token')
  assert.equal(refused.bytes.toString(), 'GET / HTTP/1.1\r\nA\x01: b\r\n\r\n')
  assert.equal(refused.messages[0]?.fieldsAt, null)
})
