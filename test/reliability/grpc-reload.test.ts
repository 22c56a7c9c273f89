import { test } from 'node:test'
import { callsUnderReloads } from './grpc-reload.ts'

test('1,000 calls of all kinds under reloads ten times a second, and the end of a sidecar and an edge: none is lost', async t => {
  t.diagnostic(`${await callsUnderReloads(1_000, 40, 200)} calls`)
})
