// Rows 32 and 33 of docs/security.md, one hop further: requests of many clients share a session to a service, and what
// some of them cancel must not be held against the others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawH2 } from '../harness/raw-h2.ts'

const CLIENTS = 8
const ROUNDS = 5
const AT_ONCE = 30

for (const sessions of [2000, 1])
  test(`clients that cancel within what each may do not end the session that a sidecar has for everybody, of ${sessions}`, async t => {
    let answer = (): void => {}
    let asked = 0
    const upstream = await HttpUpstream.listen((request, response) => {
      asked++
      if (request.url === '/wanted') answer = () => response.end('wanted')
    })
    const limits = 'limits: { connections: 2000 }'
    const inner = await InProcess.start(routeTo(upstream.port, { upstream: limits }))
    const outer = await InProcess.start(
      routeTo(inner.port(), { upstream: `protocol: http2\nlimits: { connections: ${sessions} }` }),
    )
    const clients: RawH2[] = []
    t.after(async () => {
      for (const client of clients) client.destroy()
      await outer.stop()
      await inner.stop()
      await upstream.close()
    })
    const other = await RawH2.connect(outer.port())
    clients.push(other)
    const wanted = other.get('/wanted')
    await outer.until('the request', () => asked === 1)

    for (let i = 0; i < CLIENTS; i++) clients.push(await RawH2.connect(outer.port()))
    let expected = 1
    for (let round = 0; round < ROUNDS; round++)
      for (const client of clients.slice(1)) {
        const ids = Array.from({ length: AT_ONCE }, () => client.get('/hang'))
        expected += AT_ONCE
        await outer.until('the requests', () => asked >= expected || other.answer(wanted).status !== 0)
        for (const id of ids) client.reset(id)
        await client.roundTrip()
      }
    answer()
    const { status, body } = await other.over(wanted)
    assert.equal(`${status} ${body.toString()}`, '200 wanted')
  })
