import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { readSlowly } from './slow-readers.ts'

const skip = existsSync('/proc/self/status') ? false : 'memory of another process is read from /proc'

test(
  '100 clients that read 1 GiB at 1 KB a second cost less than 50 MB, and nobody else waits',
  { skip },
  () => readSlowly({ clients: 100, bodyBytes: 1_073_741_824, seconds: 20 }),
)
