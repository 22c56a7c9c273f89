import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type * as grpc from '@grpc/grpc-js'
import type { User, UserId } from '../../examples/grpc/contract.ts'
import { UsersClient, UsersServer } from '../harness/grpc-users.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { hop } from './grpc-chain.ts'
import { residentBytes } from './slow-readers.ts'

const CLIENTS = 100
const STREAMS = 100
const MIB = 1_048_576

type Look = grpc.ClientDuplexStream<UserId, User>

/** Asks once more, and waits for the answer. */
async function ask(call: Look, id: string): Promise<void> {
  call.write({ id })
  const [answer] = (await once(call, 'data')) as [User] // `once` does not know of it
  assert.equal(answer.id, id)
}

test('10,000 calls open at one time over 100 connections: each answers, an edge and two sidecars stay small, all end', async t => {
  const server = await UsersServer.start()
  const inbound = await Outrigger.start(hop('inbound', [server.port]))
  const outbound = await Outrigger.start(hop('outbound', [inbound.port('in')]))
  const edge = await Outrigger.start(hop('edge', [outbound.port('in')]))
  const chain = [edge, outbound, inbound]
  const calm = chain.map(one => residentBytes(one.pid))
  const clients = Array.from({ length: CLIENTS }, () => new UsersClient(edge.port('in')))
  try {
    const calls: Look[] = []
    for (const client of clients) {
      const begun = Array.from({ length: STREAMS }, () => client.look())
      await Promise.all(begun.map((call, at) => ask(call, `a${at}`)))
      calls.push(...begun)
    }
    assert.equal(server.calls['Look'], CLIENTS * STREAMS)
    // All of them once more, while all are open.
    for (let at = 0; at < calls.length; at += 500)
      await Promise.all(calls.slice(at, at + 500).map((call, i) => ask(call, `b${i}`)))
    const open = chain.map(one => residentBytes(one.pid))
    const taken = open.map((bytes, at) => (bytes - (calm[at] ?? 0)) / (CLIENTS * STREAMS) / 1024)
    t.diagnostic(`KiB a call: edge, outbound, inbound: ${taken.map(one => one.toFixed(1)).join(', ')}`)
    for (const kibibytes of taken) assert.ok(kibibytes < 15, `${kibibytes} KiB a call`)
    // A reload meets them, and none ends.
    await inbound.reload(hop('inbound', [server.port], 1))
    await Promise.all(calls.slice(0, 100).map((call, i) => ask(call, `c${i}`)))
    const ended = calls.map(call => once(call.resume(), 'status') as Promise<[grpc.StatusObject]>)
    for (const call of calls) call.end()
    const codes = new Set((await Promise.all(ended)).map(([{ code }]) => code))
    assert.deepEqual([...codes], [0])
    const metrics = await (await fetch(`http://127.0.0.1:${edge.adminPort}/metrics`)).text()
    assert.match(
      metrics,
      new RegExp(`grpc_requests_total{service="shop.Users",method="Look",code="ok"} ${CLIENTS * STREAMS}`),
    )
    t.diagnostic(
      `MiB at the end: ${chain.map((one, at) => ((residentBytes(one.pid) - (calm[at] ?? 0)) / MIB).toFixed(0)).join(', ')}`,
    )
  } finally {
    for (const client of clients) client.close()
    await Promise.all(chain.map(one => one.stop('SIGKILL')))
    server.stop()
  }
})
