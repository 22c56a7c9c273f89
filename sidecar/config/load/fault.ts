import type { ConfigError } from '../config-error.ts'
import type { Spot } from './origin.ts'

const EXCERPT_LIMIT = 160

/** Makes the error of a place: line, column and the excerpt. */
export function faultAt(
  spot: Spot | undefined,
  message: string,
  more: { suggestion?: string | undefined; path?: string | undefined } = {},
): ConfigError {
  const extra = {
    ...(more.suggestion === undefined ? {} : { suggestion: more.suggestion }),
    ...(more.path === undefined || more.path === '' ? {} : { path: more.path }),
  }
  if (spot === undefined) return { file: '', line: 0, column: 0, message, ...extra }
  const place = spot.file.place(spot.offset)
  const line = spot.file.line(place.line)
  // A line of a megabyte helps nobody; what lies beyond the cut is named by its column.
  const excerpt = line.length > EXCERPT_LIMIT ? `${line.slice(0, EXCERPT_LIMIT)}...` : line
  return { ...place, message, ...extra, ...(place.column <= EXCERPT_LIMIT + 1 ? { excerpt } : {}) }
}

/** A path as people write it: `listeners.0.routes.2.match`. */
export function pathText(path: readonly (string | number)[]): string {
  return path.join('.')
}
