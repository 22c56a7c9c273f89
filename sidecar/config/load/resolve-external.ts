import type { ExternalPolicy } from '../../filters/external/schema.ts'
import { CLIENT_HEADERS, type WrittenAuthorization } from './authorization-schema.ts'
import { contentHash } from './hash.ts'
import type { WrittenPolicies } from './policy-schema.ts'
import { checkUpstream } from './resolve-action.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { didYouMean } from './suggestion.ts'

/** One level of policies: what was written there, and where. */
interface Level {
  readonly policies: Pick<WrittenPolicies, 'authorize'>
  readonly path: ConfigPath
}

/** Framing and routing of a response are ours. */
const OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'te',
])

/** The services of `authorization.external`, by name. */
export function resolveExternals(
  written: WrittenAuthorization | undefined,
  upstreams: ReadonlySet<string>,
  resolution: Resolution,
): ReadonlyMap<string, ExternalPolicy> {
  const found = new Map<string, ExternalPolicy>()
  for (const [name, one] of Object.entries(written?.external ?? {})) {
    const path = ['authorization', 'external', name]
    const { protocol = 'http', upstream } = one
    if (!resolution.partial) {
      checkUpstream(upstream, [...path, 'upstream'], upstreams, resolution)
      if (protocol === 'grpc' && one.path !== undefined)
        resolution.fault([...path, 'path'], '`path` is for `protocol: http`', undefined, 'key')
      if (one.path !== undefined && one.body !== undefined)
        resolution.fault([...path, 'body'], '`path` is asked with GET, which has no body', undefined, 'key')
      for (const [index, field] of (one.clientHeaders ?? []).entries())
        if (OURS.has(field))
          resolution.fault([...path, 'clientHeaders', index], `\`${field}\` is written here`)
    }
    const policy = {
      name,
      upstream,
      protocol,
      path: one.path ?? null,
      timeout: one.timeout ?? 200,
      headers: one.headers ?? null,
      upstreamHeaders: one.upstreamHeaders ?? [],
      clientHeaders: one.clientHeaders ?? CLIENT_HEADERS,
      ...(one.body === undefined ? {} : { body: one.body }),
      onError: one.onError ?? 503,
      dryRun: false,
    }
    found.set(name, { ...policy, digest: contentHash(policy) })
  }
  return found
}

/** The services that a route asks. */
export interface Asked {
  /** That decides. */
  readonly external?: ExternalPolicy
  /** That only reports what it would refuse, beside the one that decides. */
  readonly triedExternal?: ExternalPolicy
}

/**
 * The services that a route asks beside what `authorize` itself can tell: that of the innermost level since the last
 * `off`. `dryRun` as in `resolveAuthorize`: trying one out below takes away none above.
 */
export function resolveExternal(levels: readonly Level[], resolution: Resolution): Asked {
  const off = levels.findLastIndex(({ policies }) => policies.authorize === false)
  let deciding: ExternalPolicy | undefined
  let tried: ExternalPolicy | undefined
  for (const { policies, path } of levels.slice(off + 1)) {
    const { authorize } = policies
    if (authorize === undefined || authorize === false) continue
    const { external, dryRun } = authorize
    if (external !== undefined) {
      const there = resolution.externals
      const policy = there.get(external)
      if (policy === undefined && !resolution.partial && resolution.secrets)
        resolution.fault(
          [...path, 'authorize', 'external'],
          `there is no \`${external}\` in authorization.external`,
          didYouMean(external, there.keys().toArray()),
        )
      if (policy === undefined) continue
      if (dryRun !== true) deciding = policy
      tried = dryRun === true ? policy : undefined
    } else if (dryRun !== undefined && Object.keys(authorize).length === 1) {
      if (dryRun) [deciding, tried] = [undefined, tried ?? deciding]
      else [deciding, tried] = [tried ?? deciding, undefined]
    }
  }
  // What it would refuse is refused.
  if (tried?.name === deciding?.name) tried = undefined
  return {
    ...(deciding === undefined ? {} : { external: deciding }),
    ...(tried === undefined ? {} : { triedExternal: { ...tried, dryRun: true } }),
  }
}
