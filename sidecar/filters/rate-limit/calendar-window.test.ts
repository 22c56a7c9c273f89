import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CalendarWindow, calendarWindow } from './calendar-window.ts'

const HOUR = 3_600_000

test('days, weeks from Monday, months and years of the calendar in UTC', () => {
  const span = (unit: Parameters<typeof calendarWindow>[0], at: string): string[] => {
    const { start, end } = calendarWindow(unit, Date.parse(at))
    return [start, end].map(one => new Date(one).toISOString().slice(0, 16))
  }
  assert.deepEqual(span('day', '2026-12-31T23:59:59.999Z'), ['2026-12-31T00:00', '2027-01-01T00:00'])
  assert.deepEqual(span('week', '2026-11-24T12:00Z'), ['2026-11-23T00:00', '2026-11-30T00:00'])
  assert.deepEqual(span('week', '2026-11-23T00:00Z'), ['2026-11-23T00:00', '2026-11-30T00:00'])
  assert.deepEqual(span('week', '2026-11-22T23:59Z'), ['2026-11-16T00:00', '2026-11-23T00:00'])
  assert.deepEqual(span('month', '2028-02-29T12:00Z'), ['2028-02-01T00:00', '2028-03-01T00:00'])
  assert.deepEqual(span('year', '2028-12-31T12:00Z'), ['2028-01-01T00:00', '2029-01-01T00:00'])
})

test('a month is over when the month is over, not after thirty days', () => {
  const window = new CalendarWindow('month')
  const last = Date.parse('2026-01-31T23:59:00Z')
  assert.ok(window.fits(last, 1, 1))
  window.take(last, 1, 1)
  assert.ok(!window.fits(last + 59_999, 1, 1))
  assert.equal(window.wait(last, 1, 1), 60_000)
  assert.ok(window.fits(last + 60_000, 1, 1))
})

test('a clock that is set back brings no second quota, and one that was far ahead does not lock out (row 66)', () => {
  const window = new CalendarWindow('day')
  const midnight = Date.parse('2026-11-25T00:00:00Z')
  window.take(midnight - HOUR / 2, 10, 10)
  assert.ok(!window.fits(midnight - 1, 10, 1))
  // Forward into the next day, and back.
  assert.ok(window.fits(midnight + HOUR / 2, 10, 7))
  window.take(midnight + HOUR / 2, 10, 7)
  assert.equal(window.remaining(midnight - HOUR / 2, 10), 3)
  window.take(midnight - HOUR / 2, 10, 3)
  assert.ok(!window.fits(midnight + HOUR, 10, 1))
  // A year ahead, counted, and back: counting begins anew.
  const wrong = midnight + 400 * 24 * HOUR
  assert.ok(window.fits(wrong, 10, 10))
  window.take(wrong, 10, 10)
  assert.ok(window.fits(midnight, 10, 1))
})
