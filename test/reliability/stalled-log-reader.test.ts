import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'

const OUTPUT = new URL('../../sidecar/telemetry/output.ts', import.meta.url).href

/** Writes 3 MiB of lines to standard output while it shows that its event loop turns, then ends as a process does. */
const PROGRAM = `
  import { openWriter } from ${JSON.stringify(OUTPUT)}
  import { lookup } from 'node:dns'
  const writer = openWriter(1, 0)
  const line = 'x'.repeat(1023) + '\\n'
  for (let i = 0; i < 3072; i++) {
    writer.write(line)
    if (i % 64 === 0) await new Promise(setImmediate)
  }
  // The thread pool must not be held by the write.
  await Promise.all(Array.from({ length: 8 }, () => new Promise(done => lookup('localhost', done))))
  await writer.close()
  writer.flushSync()
  process.stderr.write(JSON.stringify({ written: writer.written, dropped: writer.dropped }))
  process.exit(0)
`

interface Run {
  readonly got: string
  readonly seconds: number
  readonly written: number
  readonly dropped: number
}

/** @param stdout a descriptor, or `pipe` for what Node makes of it: a socket that the test reads where `read` says so */
async function runWriter(stdout: number | 'pipe', read: boolean): Promise<Run> {
  const started = performance.now()
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    stdio: ['ignore', stdout, 'pipe'],
  })
  try {
    let got = ''
    let report = ''
    assert.ok(child.stderr !== null)
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (report += chunk))
    if (read) child.stdout?.setEncoding('latin1').on('data', (chunk: string) => (got += chunk))
    // What nobody reads never closes, so the exit is what counts.
    await once(child, read ? 'close' : 'exit')
    const seconds = (performance.now() - started) / 1000
    const counts: unknown = JSON.parse(report)
    assert.ok(counts !== null && typeof counts === 'object' && 'written' in counts && 'dropped' in counts)
    return { got, seconds, written: Number(counts.written), dropped: Number(counts.dropped) }
  } finally {
    child.stdout?.destroy()
    child.kill('SIGKILL')
  }
}

function assertStalled({ seconds, written, dropped }: Run): void {
  // Two seconds in which the reader is given the chance to take what waits, and the start of Node.
  assert.ok(seconds < 5, `${seconds} s`)
  // What was with the kernel when the process gave up is neither written nor dropped.
  assert.ok(written + dropped > 2_900 && written + dropped <= 3_072, `${written} written, ${dropped} dropped`)
  assert.ok(dropped >= 1_900, `${dropped} dropped`)
}

test(
  'a socket whose reader stalls holds up neither the work nor the end of the process',
  {
    timeout: 15_000,
  },
  async () => {
    assertStalled(await runWriter('pipe', false))
  },
)

test(
  'a pipe whose reader stalls holds up neither the work nor the end of the process',
  {
    timeout: 15_000,
  },
  async t => {
    const folder = mkdtempSync(path.join(tmpdir(), 'stalled-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const fifo = path.join(folder, 'log')
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0)
    // Open for reading too, and never read.
    const fd = openSync(fifo, constants.O_RDWR)
    t.after(() => closeSync(fd))
    assertStalled(await runWriter(fd, false))
  },
)

test('a reader that keeps up has every line that was not dropped, whole', { timeout: 15_000 }, async () => {
  const { got, written, dropped } = await runWriter('pipe', true)
  assert.equal(got.length, written * 1_024)
  assert.equal(written + dropped, 3_072)
  assert.ok(got.split('\n').every(line => line === '' || line === 'x'.repeat(1_023)))
})
