import { test } from 'node:test'
import { idleSessions } from './idle-sessions.ts'

test('row 38: 5,000 idle sessions are told and closed when their time is over, and hold nothing', () =>
  idleSessions(5000))
