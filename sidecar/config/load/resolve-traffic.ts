import type { AffinityPolicy, FallbackPolicy, FaultPolicy, MirrorPolicy } from '../../snapshot/policies.ts'
import type { WrittenPolicies } from './policy-schema.ts'
import { resolveRespond } from './resolve-respond.ts'
import type { ConfigPath, Resolution } from './resolution.ts'

/** Where copies go. */
export function resolveMirror(written: WrittenPolicies['mirror']): MirrorPolicy | null {
  if (written === undefined || written === false) return null
  return { upstream: written.upstream, percent: written.percent ?? 100 }
}

/** Trouble made on purpose; `path` is where the innermost level wrote it. */
export function resolveFault(
  written: WrittenPolicies['fault'],
  path: ConfigPath,
  resolution: Resolution,
): FaultPolicy | null {
  if (written === undefined || written === false) return null
  const { delay = null, status, abort = false } = written
  if (status !== undefined && abort) {
    resolution.fault(
      path,
      '`status` and `abort` are alternatives: a request is answered or cut',
      undefined,
      'key',
    )
  } else if (delay === null && status === undefined && !abort && !resolution.partial && resolution.secrets) {
    resolution.fault(
      path,
      '`fault` needs one of `delay`, `status` and `abort`: it would do nothing',
      'e.g. fault: { delay: 200ms, percent: 50 }',
      'key',
    )
  }
  return {
    percent: written.percent ?? 100,
    delay,
    respond: abort ? 'abort' : (status ?? null),
    header: written.header ?? null,
  }
}

/** The cookie that keeps a client at one endpoint. */
export function resolveAffinity(written: WrittenPolicies['affinity']): AffinityPolicy | null {
  if (written === undefined || written === false) return null
  const { cookie = 'og', maxAge } = written
  // Cookies count in seconds; one that is there at all lives for one at least.
  return { cookie, maxAge: maxAge === undefined || maxAge === null ? null : Math.ceil(maxAge / 1000) }
}

/** What is done where the upstream fails. `path` is where it was written. */
export function resolveFallback(
  written: WrittenPolicies['fallback'],
  path: ConfigPath,
  resolution: Resolution,
): FallbackPolicy | null {
  if (written === undefined || written === false) return null
  if (written.upstream !== undefined) return { kind: 'upstream', upstream: written.upstream }
  return { kind: 'respond', ...resolveRespond(written.respond, [...path, 'respond'], resolution) }
}
