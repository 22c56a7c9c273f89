import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { mock, test } from 'node:test'
import { BufferedWriter } from './buffered-writer.ts'
import type { OutputCalls } from './buffered-writer.ts'
import { fileCalls } from './output.ts'

/** A file that is written when the test says so. */
class Held implements OutputCalls {
  text = ''
  calls: { bytes: Buffer; offset: number; length: number; done: Parameters<OutputCalls['write']>[4] }[] = []
  syncFailures = 0
  write(
    _: number,
    bytes: Buffer,
    offset: number,
    length: number,
    done: Parameters<OutputCalls['write']>[4],
  ): void {
    this.calls.push({ bytes, offset, length, done })
  }
  writeSync(_: number, bytes: Buffer, offset: number, length: number): number {
    if (this.syncFailures-- > 0) throw Object.assign(new Error('again'), { code: 'EAGAIN' })
    this.text += bytes.toString('utf8', offset, offset + length)
    return length
  }
  /** Takes this many bytes of the write that waits, or fails it. */
  answer(taken: number | string): void {
    const call = this.calls.shift()
    assert.ok(call !== undefined, 'a write waits')
    if (typeof taken === 'string') return call.done(Object.assign(new Error(taken), { code: taken }), 0)
    const length = Math.min(taken, call.length)
    this.text += call.bytes.toString('latin1', call.offset, call.offset + length)
    call.done(null, length)
  }
}

test('lines gather, and one write is in flight', () => {
  const file = new Held()
  const writer = new BufferedWriter(1, 100, file)
  writer.write('a\n')
  writer.write('b\n')
  assert.equal(file.calls.length, 0)
  writer.flush()
  writer.write('c\n')
  writer.flush()
  assert.equal(file.calls.length, 1)
  file.answer(Infinity)
  assert.equal(file.text, 'a\nb\n')
  file.answer(Infinity)
  assert.equal(file.text, 'a\nb\nc\n')
  assert.deepEqual([writer.written, writer.dropped, writer.queued], [3, 0, 0])
})

test('a line waits for the delay and no longer', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const file = new Held()
    const writer = new BufferedWriter(1, 100, file)
    writer.write('a\n')
    mock.timers.tick(99)
    assert.equal(file.calls.length, 0)
    mock.timers.tick(1)
    assert.equal(file.calls.length, 1)
  } finally {
    mock.timers.reset()
  }
})

test('a short write goes on where it ended', () => {
  const file = new Held()
  const writer = new BufferedWriter(1, 100, file)
  writer.write('hello\n')
  writer.flush()
  file.answer(2)
  file.answer(1)
  file.answer(Infinity)
  assert.equal(file.text, 'hello\n')
  assert.equal(writer.written, 1)
})

test('a reader that is behind is tried again; a line is never repeated', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const file = new Held()
    const writer = new BufferedWriter(1, 100, file)
    writer.write('hello\n')
    writer.flush()
    file.answer(2)
    file.answer('EAGAIN')
    assert.equal(file.calls.length, 0)
    mock.timers.tick(10)
    file.answer(Infinity)
    assert.equal(file.text, 'hello\n')
    assert.deepEqual([writer.written, writer.dropped], [1, 0])
  } finally {
    mock.timers.reset()
  }
})

test('lines of a write that failed are counted, and the next are tried', () => {
  const file = new Held()
  const writer = new BufferedWriter(1, 100, file)
  writer.write('a\n')
  writer.write('b\n')
  writer.flush()
  assert.equal(writer.cause, '')
  file.answer('EPIPE')
  assert.equal(writer.cause, 'EPIPE')
  writer.write('c\n')
  writer.flush()
  file.answer(Infinity)
  assert.equal(file.text, 'c\n')
  assert.deepEqual([writer.written, writer.dropped, writer.queued], [1, 2, 0])
})

test('with a stalled reader at most 1 MiB waits, in memory too; the rest is dropped and counted', () => {
  const file = new Held()
  const writer = new BufferedWriter(1, 100, file)
  writer.write('x\n')
  writer.flush()
  const before = process.memoryUsage().arrayBuffers
  const line = `${'y'.repeat(999)}\n`
  for (let i = 0; i < 5_000; i++) {
    writer.write(line)
    writer.flush()
  }
  assert.ok(writer.queued <= 1_048_576, `${writer.queued} bytes`)
  assert.ok(writer.queued > 900_000)
  assert.equal(writer.cause, 'its reader is behind')
  assert.ok(process.memoryUsage().arrayBuffers - before < 2_000_000)
  const kept = 5_001 - writer.dropped
  while (file.calls.length > 0) file.answer(Infinity)
  assert.equal(file.text, `x\n${line.repeat(kept - 1)}`)
  assert.equal(writer.written, kept)
})

test('small lines behind a stalled reader share a buffer', () => {
  const file = new Held()
  const writer = new BufferedWriter(1, 100, file)
  for (let i = 0; i < 100; i++) {
    writer.write('x\n')
    writer.flush()
  }
  file.answer(Infinity)
  file.answer(Infinity)
  assert.equal(file.calls.length, 0)
  assert.equal(writer.written, 100)
})

test('a line longer than the buffer, and text beyond ASCII', () => {
  const file = new Held()
  const writer = new BufferedWriter(1, 100, file)
  const long = `${'ž€😀'.repeat(20_000)}\n`
  writer.write('first\n')
  writer.write(long)
  writer.write('last\n')
  writer.flush()
  while (file.calls.length > 0) file.answer(Infinity)
  assert.equal(Buffer.from(file.text, 'latin1').toString('utf8'), `first\n${long}last\n`)
})

test('flushSync writes what waits, and gives up after a second', { timeout: 5_000 }, () => {
  const file = new Held()
  const writer = new BufferedWriter(1, 100, file)
  writer.write('a\n')
  file.syncFailures = 3
  writer.flushSync()
  assert.equal(file.text, 'a\n')
  writer.write('b\n')
  file.syncFailures = Infinity
  const started = performance.now()
  writer.flushSync()
  assert.ok(performance.now() - started < 1_500)
  assert.deepEqual([writer.written, writer.dropped, writer.queued], [1, 1, 0])
})

test('flushSync takes over a write that waits for its reader, without repeating a byte', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const file = new Held()
    const writer = new BufferedWriter(1, 100, file)
    writer.write('hello\n')
    writer.flush()
    file.answer(3)
    file.answer('EAGAIN')
    writer.write('more\n')
    writer.flushSync()
    mock.timers.tick(1_000)
    assert.equal(file.text, 'hello\nmore\n')
    assert.equal(file.calls.length, 0)
  } finally {
    mock.timers.reset()
  }
})

test('close waits until a real file has it all', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'writer-'))
  const file = path.join(folder, 'log')
  const fd = openSync(file, 'a')
  try {
    const writer = new BufferedWriter(fd, 100, fileCalls)
    let expected = ''
    for (let i = 0; i < 10_000; i++) {
      const line = `line ${i}\n`
      expected += line
      writer.write(line)
    }
    await writer.close()
    assert.equal(readFileSync(file, 'utf8'), expected)
    assert.deepEqual([writer.written, writer.dropped, writer.queued], [10_000, 0, 0])
  } finally {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  }
})
