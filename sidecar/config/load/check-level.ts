import type { PolicyLevel } from './resolve-policies.ts'
import { checkUpstream } from './resolve-action.ts'
import type { Resolution } from './resolution.ts'

/** What one level of policies says that cannot work, whatever lies above and below it. */
export function checkLevel(
  { policies, path }: PolicyLevel,
  upstreams: ReadonlySet<string>,
  resolution: Resolution,
): void {
  const { mirror, fallback } = policies
  if (mirror) checkUpstream(mirror.upstream, [...path, 'mirror', 'upstream'], upstreams, resolution)
  if (fallback && fallback.upstream !== undefined)
    checkUpstream(fallback.upstream, [...path, 'fallback', 'upstream'], upstreams, resolution)
  // With references left alone numbers are stand-ins.
  if (!resolution.secrets) return
  checkTimeout(policies.timeout, [...path, 'timeout'], resolution)
  checkRetry(policies.retry, [...path, 'retry'], resolution)
}

function checkTimeout(
  written: PolicyLevel['policies']['timeout'],
  path: PolicyLevel['path'],
  resolution: Resolution,
): void {
  if (!written || typeof written.total !== 'number') return
  for (const key of ['perTry', 'firstByte'] as const) {
    const value = written[key]
    if (typeof value !== 'number' || value <= written.total) continue
    resolution.fault(
      [...path, key],
      `\`${key}\` is longer than \`total\`, which ends every try`,
      undefined,
      'key',
    )
  }
}

function checkRetry(
  written: PolicyLevel['policies']['retry'],
  path: PolicyLevel['path'],
  resolution: Resolution,
): void {
  if (!written) return
  if (written.count === 0 && written.hedge) {
    resolution.fault(
      [...path, 'hedge'],
      '`hedge` is a second try, and `count: 0` allows none',
      'write: count: 1',
      'key',
    )
  }
  const { from, to } = written.backoff ?? {}
  if (from !== undefined && to !== undefined && from > to) {
    resolution.fault([...path, 'backoff', 'from'], '`from` is longer than `to`', undefined, 'key')
  }
}
