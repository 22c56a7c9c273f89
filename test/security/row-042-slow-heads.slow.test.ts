import { test } from 'node:test'
import { slowHeads } from './slow-heads.ts'

test('row 42: 5,000 clients that send a head byte by byte are gone after its 10 s, others are served meanwhile', t =>
  slowHeads(t, 5000))
