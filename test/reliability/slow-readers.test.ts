import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { readSlowly } from './slow-readers.ts'

const skip = existsSync('/proc/self/status') ? false : 'memory of another process is read from /proc'

test(
  '20 clients that read 100 MB at 1 KB a second cost less than 50 MB, and nobody else waits',
  { skip },
  () => readSlowly({ clients: 20, bodyBytes: 100_000_000, seconds: 3 }),
)
