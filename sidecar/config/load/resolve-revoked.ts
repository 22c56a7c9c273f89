import type { RevokedSpec } from '../../filters/authenticate/schema.ts'
import { contentHash } from './hash.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { readPem } from './tls-files.ts'

const MOST = 10_000
/** `jti ID`, `sub NAME`, `sub NAME before TIME`. */
const LINE = /^(?:jti +(?<id>\S.*)|sub +(?<subject>\S.*?)(?: +before +(?<before>\S+))?)$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)$/

/** Who a file says is refused, a line each; empty lines and what follows `#` at the start of a line are left out. */
export function resolveRevoked(
  written: { readonly file: string } | undefined,
  path: ConfigPath,
  resolution: Resolution,
): { readonly revoked?: RevokedSpec } {
  if (written === undefined) return {}
  const at = [...path, 'revoked', 'file']
  const text = readPem(written.file, at, resolution, false)
  const tokens: string[] = []
  const subjects: [string, number | null][] = []
  for (const [index, line] of (text ?? '')
    .split(/\r?\n/)
    .map(one => one.trim())
    .entries()) {
    if (line === '' || line.startsWith('#')) continue
    const { id, subject, before } = LINE.exec(line)?.groups ?? {}
    const time = before === undefined ? null : TIME.test(before) ? Date.parse(before) : Number.NaN
    if (id !== undefined) tokens.push(id)
    else if (subject !== undefined && !Number.isNaN(time)) subjects.push([subject, time])
    else {
      // What it holds is not shown: a line may be a token by mistake.
      const expected = '`jti ID`, `sub NAME` or `sub NAME before 2026-11-24T12:00:00Z`'
      resolution.fault(
        at,
        `line ${index + 1} of the file ${written.file} is not understood: expected ${expected}`,
      )
      break
    }
  }
  if (tokens.length + subjects.length > MOST)
    resolution.fault(at, `the file ${written.file} has more than ${MOST} entries`)
  const spec = { tokens, subjects }
  return { revoked: { ...spec, digest: contentHash(spec) } }
}
