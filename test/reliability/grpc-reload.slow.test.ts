import { test } from 'node:test'
import { callsUnderReloads } from './grpc-reload.ts'

test('10,000 calls of all kinds, 200 at one time, under reloads and the end of a sidecar and an edge: none is lost', async t => {
  t.diagnostic(`${await callsUnderReloads(10_000, 200)} calls`)
})
