import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { BufferedWriter } from './buffered-writer.ts'
import { fileCalls } from './output.ts'
import { isLogLevel, ProcessLog } from './process-log.ts'
import type { LogLevel } from './process-log.ts'
import { RepetitionLimit } from './repetition.ts'

const clock = { time: 0, now: () => clock.time, wall: () => Date.UTC(2026, 0, 2, 3, 4, 5, 67) }

function logOf(format: 'json' | 'text' = 'json', level: LogLevel = 'info') {
  const lines: string[] = []
  const writer = new BufferedWriter(2, 0, fileCalls)
  writer.write = line => lines.push(line) > 0
  return { log: new ProcessLog(writer, format, level, clock), lines }
}

test('levels are chosen at run time', () => {
  const { log, lines } = logOf()
  log.debug('no')
  log.info('yes')
  log.level = 'error'
  log.warn('no')
  log.fatal('yes')
  log.level = 'trace'
  log.trace('yes')
  assert.equal(lines.length, 3)
  assert.ok(lines.every(line => line.includes('"msg":"yes"')))
  assert.ok(isLogLevel('debug'))
  assert.ok(!isLogLevel('verbose'))
})

test('a JSON line, whose own fields cannot be overwritten', () => {
  const { log, lines } = logOf()
  log.info('started\nwell', {
    address: '127.0.0.1:80',
    n: 1,
    level: 'fatal',
    msg: 'mine',
    message: 'of a server',
    none: undefined,
    nan: Number.NaN,
    deep: [{ a: null }],
  })
  assert.equal(
    lines[0],
    '{"time":"2026-01-02T03:04:05.067Z","level":"info","msg":"started\\nwell","address":"127.0.0.1:80","n":1,"message":"of a server","nan":null,"deep":[{"a":null}]}\n',
  )
})

test('a line for a terminal', () => {
  const { log, lines } = logOf('text')
  log.warn('slow \x1b[31m', { file: 'a b', n: 2 })
  assert.equal(lines[0], '03:04:05.067 WARN  slow \\u001b[31m file="a b" n=2\n')
})

test('secrets are not shown, at any depth', () => {
  for (const format of ['json', 'text'] as const) {
    const { log, lines } = logOf(format)
    log.info('x', {
      token: 'canary',
      deep: { headers: { Authorization: 'canary', cookie: 'canary', 'X-Api-Key': 'canary' } },
    })
    assert.doesNotMatch(lines.join(''), /canary/)
    log.info('x', { key: 'admin.address', code: 'EADDRINUSE' })
    assert.match(lines[1] ?? '', /admin\.address.*EADDRINUSE/)
  }
})

test('errors with code, stack and cause; cycles end', () => {
  const { log, lines } = logOf()
  const cause = Object.assign(new Error('inner'), { code: 'ENOENT' })
  log.error('failed', { error: new Error('outer', { cause }) })
  assert.match(
    lines[0] ?? '',
    /"name":"Error","message":"outer","stack":"Error: outer\\n.*"cause":\{"name":"Error","message":"inner","code":"ENOENT"/,
  )
  const ring: Record<string, unknown> = {}
  ring['ring'] = ring
  log.error('ring', ring)
  assert.doesNotThrow(() => void JSON.parse(lines[1] ?? ''))
})

test('a flood of one event is one line a second with its count', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const { log, lines } = logOf()
    const limit = new RepetitionLimit(log, clock)
    const step = (ms: number) => {
      clock.time += ms
      mock.timers.tick(ms)
    }
    for (let i = 0; i < 1_000; i++) limit.write('refused', 'warn', 'refused', { i })
    limit.write('other', 'info', 'other')
    assert.equal(lines.length, 2)
    assert.doesNotMatch(lines[0] ?? '', /repeated/)
    step(1_000)
    assert.equal(lines.length, 3)
    assert.match(lines[2] ?? '', /"i":999,"repeated":999/)
    step(10_000)
    assert.equal(lines.length, 3)
    limit.write('refused', 'warn', 'refused')
    assert.equal(lines.length, 4, 'after a quiet time the first comes at once again')
    for (let i = 0; i < 5_000; i++) limit.write(`key ${i}`, 'warn', 'many keys')
    assert.ok(lines.length < 270, `too many: ${String(lines.length)}`)
    step(1_000)
    step(1_000)
  } finally {
    mock.timers.reset()
  }
})
