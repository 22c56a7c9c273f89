import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertificateFolder } from '../../test/harness/certificates.ts'
import { InProcess } from '../../test/harness/in-process.ts'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

test('a certificate in use is spoken of before it ends, each hour, and stands in the metrics', async () => {
  const own = await CertificateFolder.create()
  const notAfter = Date.now() + DAY_MS
  const pair = await own.write('server', { dns: ['a.example'], notBefore: Date.now() - DAY_MS, notAfter })
  const clock = new SteppedClock(0, Date.now())
  const proxy = await InProcess.start(
    `version: 1
service: test
listeners:
  - { name: in, role: edge, address: "127.0.0.1:0", tls: { certificates: { ${pair} } }, respond: { body: here } }
`,
    { clock },
  )
  try {
    const said = (message: string): number => proxy.errors.filter(line => line['msg'] === message).length
    assert.match(
      await proxy.metrics(),
      /outrigger_certificate_expiry_timestamp_seconds\{file="[^"]*server\.crt"\} 1\d{9}/,
    )
    proxy.service.certificates.start()
    // Two days of life: a quarter of it before the end it should have been renewed.
    const hours = (count: number): void => {
      for (let hour = 0; hour < count; hour++) clock.jump(HOUR_MS)
    }
    hours(11)
    assert.equal(said('a certificate ends soon'), 0)
    hours(4)
    const soon = said('a certificate ends soon')
    assert.ok(soon >= 3 && soon <= 4, `${soon}`)
    hours(10)
    assert.ok(said('a certificate has ended') >= 1)
    proxy.service.certificates.stop()
  } finally {
    await proxy.stop({ errors: 'expected' })
    own.remove()
  }
})
