import type { ConfigError } from '../config-error.ts'
import { redactUrls } from '../../telemetry/redaction.ts'
import { excerptOf, hideSecrets, isShown } from './excerpt.ts'
import type { Spot } from './origin.ts'

/** Makes the error of a place: line, column and the excerpt. */
export function faultAt(
  spot: Spot | undefined,
  said: string,
  more: { suggestion?: string | undefined; path?: string | undefined } = {},
): ConfigError {
  // What was written may be quoted.
  const message = redactUrls(said)
  const extra = {
    ...(more.suggestion === undefined ? {} : { suggestion: hideSecrets(more.suggestion) }),
    ...(more.path === undefined || more.path === '' ? {} : { path: more.path }),
  }
  if (spot === undefined) return { file: '', line: 0, column: 0, message, ...extra }
  const place = spot.file.place(spot.offset)
  const shown = isShown(place.column) ? { excerpt: excerptOf(spot.file.line(place.line)) } : {}
  return { ...place, message, ...extra, ...shown }
}

/** A path as people write it: `listeners.0.routes.2.match`. */
export function pathText(path: readonly (string | number)[]): string {
  return path.join('.')
}
