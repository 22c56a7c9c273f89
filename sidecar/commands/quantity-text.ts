const DURATIONS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
]
const SIZES: readonly (readonly [string, number])[] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
]

/** Milliseconds as a configuration writes them, in the largest unit that says them whole. */
export function durationText(ms: number): string {
  return written(ms, DURATIONS, 'ms')
}

/** Bytes as a configuration writes them, in the largest unit that says them whole. */
export function bytesText(bytes: number): string {
  return written(bytes, SIZES, 'B')
}

function written(value: number, units: readonly (readonly [string, number])[], smallest: string): string {
  const fitting = units.find(([, one]) => value >= one && value % one === 0)
  return fitting === undefined ? `${value}${smallest}` : `${value / fitting[1]}${fitting[0]}`
}
