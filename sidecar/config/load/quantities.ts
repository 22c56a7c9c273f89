import { isOff, scalar, Wrong } from './scalars.ts'

const DURATION = /^(\d{1,12})(ms|s|m|h|d)$/
const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const LONGEST_MS = 10 * 366 * 86_400_000
const SIZE = /^(\d{1,12})(B|KiB|MiB|GiB)$/
const SIZE_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }
const LARGEST_BYTES = 1024 ** 4

const DURATION_JSON = { type: 'string', pattern: DURATION.source, format: 'duration-with-unit' }
const SIZE_JSON = { type: 'string', pattern: SIZE.source }

/** `250ms`, `5s`, `2m`, `1h`, `7d`, in milliseconds. Not 0. */
export function parseDuration(value: unknown, shown: string, or = ''): number | Wrong {
  const expected = `expected a duration such as \`10s\` (ms, s, m, h, d)${or}`
  if (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value))) {
    return new Wrong(`${expected}, and ${shown} has no unit`, `write: ${value}s or ${value}ms`)
  }
  const match = typeof value === 'string' ? DURATION.exec(value) : null
  if (match === null) {
    if (value === false) return new Wrong(`this cannot be off: ${expected}`)
    if (typeof value === 'string' && /^\d+\.\d+(ms|s|m|h|d)$/.test(value))
      return new Wrong(
        `${expected}: a whole number and a unit, got ${shown}`,
        'write it in the smaller unit: 1.5s is 1500ms',
      )
    return new Wrong(`${expected}, got ${shown}`)
  }
  const ms = Number(match[1]) * (DURATION_MS[match[2] ?? ''] ?? 1)
  if (ms === 0) return new Wrong(`a duration of 0 cannot work here: ${expected}`)
  return ms > LONGEST_MS ? new Wrong(`${shown} is longer than ten years`) : ms
}

/** `512B`, `64KiB`, `1MiB`, `1GiB`, in bytes. */
export function parseSize(value: unknown, shown: string, or = ''): number | Wrong {
  const expected = `expected a size such as \`1MiB\` (B, KiB, MiB, GiB)${or}`
  if (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value))) {
    return new Wrong(`${expected}, and ${shown} has no unit`, `write: ${value}B`)
  }
  const match = typeof value === 'string' ? SIZE.exec(value) : null
  if (match === null) {
    if (value === false) return new Wrong(`this cannot be off: ${expected}`)
    const unit = typeof value === 'string' ? /^(\d+)\s*([kmg])i?b?$/i.exec(value) : null
    const meant = unit && `write: ${unit[1]}${(unit[2] ?? '').toUpperCase()}iB`
    return new Wrong(`${expected}, got ${shown}`, meant ?? undefined)
  }
  const bytes = Number(match[1]) * (SIZE_BYTES[match[2] ?? ''] ?? 1)
  return bytes > LARGEST_BYTES ? new Wrong(`${shown} is larger than 1024 GiB`) : bytes
}

export const duration = scalar<number>(DURATION_JSON, 1000, (value, shown) => parseDuration(value, shown))
export const durationOrOff = scalar<number | null>(
  { anyOf: [DURATION_JSON, { const: false }] },
  null,
  (value, shown) => (isOff(value) ? null : parseDuration(value, shown, ' or `off`')),
)

/** A size between two others, in bytes. */
export function size(min: number, max: number) {
  return scalar<number>(SIZE_JSON, min, (value, shown) => {
    const bytes = parseSize(value, shown)
    if (bytes instanceof Wrong || (bytes >= min && bytes <= max)) return bytes
    return new Wrong(`expected a size from ${sizeText(min)} to ${sizeText(max)}, got ${shown}`)
  })
}

/** A size up to another, or `off`, which is 0. */
export function sizeOrNone(max: number) {
  return scalar<number>({ anyOf: [SIZE_JSON, { const: false }] }, 0, (value, shown) => {
    if (isOff(value)) return 0
    const bytes = parseSize(value, shown, ' or `off`')
    if (bytes instanceof Wrong || bytes <= max) return bytes
    return new Wrong(`expected a size up to ${sizeText(max)}, got ${shown}`)
  })
}

/** A size; `off` is false; `on` is true: the role's default. */
export const sizeOrSwitch = scalar<number | boolean>(
  { anyOf: [SIZE_JSON, { type: 'boolean' }] },
  false,
  (value, shown) => {
    if (value === true || value === 'on') return true
    return isOff(value) ? false : parseSize(value, shown, ' or `off`')
  },
)

/** Bytes in the largest unit that says them whole. */
export function sizeText(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const one = SIZE_BYTES[unit] ?? 1
    if (bytes >= one && bytes % one === 0) return `${bytes / one}${unit}`
  }
  return `${bytes}B`
}
