import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { UsersClient, UsersServer } from '../harness/grpc-users.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { GrpcChain, hop } from './grpc-chain.ts'
import { ManyCalls } from './many-calls.ts'

/**
 * Calls of all kinds under reloads ten times a second, and the end of a sidecar and an edge: none may be lost.
 * @param most how many calls there are at least
 * @param concurrency how many are under way at one time
 * @param spacing milliseconds that each of them waits before the next one
 * @returns how many there were
 */
export async function callsUnderReloads(most: number, concurrency: number, spacing = 0): Promise<number> {
  const server = await UsersServer.start()
  const chain = await GrpcChain.start(server.port)
  const second = await Outrigger.start(hop('edge', [chain.outbound.port('in')]))
  const ports = [chain.edge.port('in'), second.port('in')]
  // By default a client sends again what it had not sent yet when it heard of the end, and nothing else.
  const options = { 'grpc.enable_retries': 1 }
  const clients = Array.from({ length: 8 }, () => new UsersClient(ports, options))
  const calls = new ManyCalls(clients, concurrency, spacing)
  try {
    for (let number = 1; number <= 20; number++) {
      chain.reload(number)
      await pause(100)
    }
    for (const one of chain.all) {
      const reloads = one.log().filter(({ msg }) => msg === 'reloaded').length
      assert.ok(reloads > 5, `${reloads} reloads`)
    }
    const before = calls.begun
    const [sidecar, other] = chain.inbound
    sidecar.signal('SIGTERM')
    chain.edge.signal('SIGTERM')
    // Whoever names the endpoints hears of it within the notice of five seconds.
    await pause(1000)
    await chain.outbound.reload(hop('outbound', [other.port('in')]))
    const exits = await Promise.all([sidecar.exit(), chain.edge.exit()])
    for (const exit of exits) assert.deepEqual(exit, { code: 0, signal: null })
    for (const one of [sidecar, chain.edge]) assert.match(one.stderr, /"stopped".*"cut":0/)
    assert.ok(calls.begun - before > 100, `${calls.begun - before} calls while they ended`)
    while (calls.begun < most) await pause(50)
    const { ok, failed } = await calls.stop()
    assert.deepEqual(failed, {})
    assert.ok(ok >= most)
    return ok
  } finally {
    await calls.stop()
    for (const client of clients) client.close()
    await second.stop('SIGKILL')
    await chain.stop()
    server.stop()
  }
}
