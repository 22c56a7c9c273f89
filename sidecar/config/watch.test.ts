import assert from 'node:assert/strict'
import {
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  mkdirSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { QuietPeriod } from './quiet-period.ts'
import type { Timers } from './quiet-period.ts'
import { ConfigWatcher } from './watch.ts'

class SteppedTimers implements Timers {
  #now = 0
  #next = 1
  readonly #due = new Map<number, { at: number; call: () => void }>()
  now(): number {
    return this.#now
  }
  set(call: () => void, delay: number): number {
    this.#due.set(this.#next, { at: this.#now + delay, call })
    return this.#next++
  }
  clear(timer: NodeJS.Timeout | number): void {
    this.#due.delete(Number(timer))
  }
  step(ms: number): void {
    for (const end = this.#now + ms; this.#now < end; this.#now++) {
      for (const [id, { at, call }] of this.#due) {
        if (at > this.#now + 1) continue
        this.#due.delete(id)
        call()
      }
    }
  }
}

test('a burst is one call, 50 ms after its last event', () => {
  const timers = new SteppedTimers()
  let calls = 0
  const period = new QuietPeriod(() => calls++, 50, 250, timers)
  for (let i = 0; i < 4; i++) {
    period.event()
    timers.step(40)
  }
  assert.equal(calls, 0)
  timers.step(11)
  assert.equal(calls, 1)
  timers.step(1000)
  assert.equal(calls, 1)
})

test('events without end are answered 250 ms after the first', () => {
  const timers = new SteppedTimers()
  const calls: number[] = []
  const period = new QuietPeriod(() => calls.push(timers.now()), 50, 250, timers)
  for (let i = 0; i < 60; i++) {
    period.event()
    timers.step(10)
  }
  assert.ok(calls.length >= 2)
  assert.ok((calls[0] ?? 999) <= 250)
})

/** A watcher on a folder of its own, and a way to wait for its next change. */
function watched(context: TestContext, options: { poll?: number } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-watch-'))
  const file = join(folder, 'edge.yaml')
  writeFileSync(file, 'version: 1\n')
  // Older than the watcher: no change of its own.
  utimesSync(file, 1, 1)
  let waiting: (() => void) | null = null
  let changes = 0
  const watcher = new ConfigWatcher(() => {
    changes++
    waiting?.()
  })
  context.after(async () => {
    await watcher.close()
    rmSync(folder, { recursive: true })
  })
  watcher.watch([file], [], options.poll ?? 3_600_000)
  const change = async (act: () => void) => {
    await watcher.settled()
    const before = changes
    const told = new Promise<void>(resolve => (waiting = resolve))
    act()
    if (changes === before) await told
    waiting = null
  }
  return { folder, file, watcher, change, changes: () => changes }
}

test('a written, renamed, deleted and recreated file is told', { timeout: 10_000 }, async context => {
  const { folder, file, change } = watched(context)
  await change(() => writeFileSync(file, 'version: 1 # b\n'))
  await change(() => {
    writeFileSync(join(folder, '.edge.yaml.swp'), 'version: 1 # c\n')
    renameSync(join(folder, '.edge.yaml.swp'), file)
  })
  await change(() => unlinkSync(file))
  await change(() => writeFileSync(file, 'version: 1 # d\n'))
  await change(() => writeFileSync(file, 'version: 1 # e\n'))
})

test('a touched file with the same content is no change', { timeout: 10_000 }, async context => {
  const { file, watcher, change, changes } = watched(context)
  await watcher.settled()
  utimesSync(file, new Date(), new Date())
  watcher.compare()
  await watcher.settled()
  assert.equal(changes(), 0)
  await change(() => writeFileSync(file, 'other\n'))
  assert.equal(changes(), 1)
})

test("Kubernetes' swap of the ..data link is told", { timeout: 10_000 }, async context => {
  const { folder, watcher } = watched(context)
  const mount = join(folder, 'mount')
  mkdirSync(mount)
  for (const [version, text] of [
    ['..1', 'a'],
    ['..2', 'b'],
  ] as const) {
    mkdirSync(join(mount, version))
    writeFileSync(join(mount, version, 'edge.yaml'), text)
    utimesSync(join(mount, version, 'edge.yaml'), 1, 1)
  }
  symlinkSync('..1', join(mount, '..data'))
  symlinkSync('..data/edge.yaml', join(mount, 'edge.yaml'))
  let told: () => void = () => {}
  const change = new Promise<void>(resolve => (told = resolve))
  const own = new ConfigWatcher(() => told())
  context.after(() => own.close())
  own.watch([join(mount, 'edge.yaml')], [], 3_600_000)
  await own.settled()
  symlinkSync('..2', join(mount, '..data_tmp'))
  renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
  await change
  await watcher.settled()
})

test('a new file in a watched folder is told', { timeout: 10_000 }, async context => {
  const { folder } = watched(context)
  let told: () => void = () => {}
  const change = new Promise<void>(resolve => (told = resolve))
  const own = new ConfigWatcher(() => told())
  context.after(() => own.close())
  own.watch([], [folder], 3_600_000)
  await own.settled()
  writeFileSync(join(folder, 'more.yaml'), 'version: 1\n')
  await change
})

test('the poll finds what no event told', { timeout: 10_000 }, async context => {
  const { folder } = watched(context)
  const file = join(folder, 'polled.yaml')
  const timers = new SteppedTimers()
  let told: () => void = () => {}
  const change = new Promise<void>(resolve => (told = resolve))
  const own = new ConfigWatcher(() => told(), { timers })
  context.after(() => own.close())
  own.watch([file], [], 30_000)
  await own.settled()
  writeFileSync(file, 'b')
  timers.step(29_000)
  timers.step(1_001)
  await change
})

test('what was written while the first load ran is told', { timeout: 10_000 }, async context => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-watch-'))
  const file = join(folder, 'edge.yaml')
  let told: () => void = () => {}
  const change = new Promise<void>(resolve => (told = resolve))
  const watcher = new ConfigWatcher(() => told(), { wall: () => 1000 })
  context.after(async () => {
    await watcher.close()
    rmSync(folder, { recursive: true })
  })
  writeFileSync(file, 'written after the load had read it')
  watcher.watch([file], [], 3_600_000)
  await change
})

test('a poll that is longer than any timer can wait is not one without a rest', async () => {
  const delays: number[] = []
  const timers: Timers = { now: () => 0, set: (_, delay) => delays.push(delay), clear: () => {} }
  const watcher = new ConfigWatcher(() => {}, { timers })
  watcher.watch([], [], 30 * 86_400_000)
  await watcher.close()
  // A longer delay is 1 ms to Node.
  assert.deepEqual(delays, [2 ** 31 - 1])
})
