import type { ActionSpec } from '../../snapshot/policies.ts'
import type { WrittenRoute } from './listener-schema.ts'
import { isConfigMap } from './merge.ts'
import { resolveRespond } from './resolve-respond.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { didYouMean } from './suggestion.ts'

export const ACTION_KEYS = ['upstream', 'split', 'redirect', 'respond'] as const
type Actions = Pick<WrittenRoute, (typeof ACTION_KEYS)[number]>

/** The one action of a route or of a listener that stands for a route. */
export function resolveAction(
  written: Actions,
  path: ConfigPath,
  { upstreams, resolution }: { readonly upstreams: ReadonlySet<string>; readonly resolution: Resolution },
): ActionSpec | null {
  const given = ACTION_KEYS.filter(key => written[key] !== undefined)
  if (given.length === 0) {
    resolution.fault(path, `a route needs an action: ${ACTION_KEYS.map(key => `\`${key}\``).join(', ')}`)
    return null
  }
  if (given.length > 1) {
    const list = given.map(key => `\`${key}\``).join(' and ')
    resolution.fault(
      [...path, given[1] ?? ''],
      `${list} are alternatives: a route has one action`,
      undefined,
      'key',
    )
  }
  if (written.upstream !== undefined) {
    checkUpstream(written.upstream, [...path, 'upstream'], upstreams, resolution)
    return { kind: 'upstream', upstream: written.upstream }
  }
  if (written.split !== undefined)
    return resolveSplit(written.split, [...path, 'split'], upstreams, resolution)
  if (written.redirect !== undefined) {
    return { kind: 'redirect', to: written.redirect.to, status: written.redirect.status ?? 308 }
  }
  return { kind: 'respond', ...resolveRespond(written.respond, [...path, 'respond'], resolution) }
}

function resolveSplit(
  written: NonNullable<WrittenRoute['split']>,
  path: ConfigPath,
  upstreams: ReadonlySet<string>,
  resolution: Resolution,
): ActionSpec {
  const to = Object.entries(written.to).map(([upstream, weight]) => ({ upstream, weight }))
  for (const { upstream } of to)
    checkUpstream(upstream, [...path, 'to', upstream], upstreams, resolution, 'key')
  if (resolution.secrets && to.every(side => side.weight === 0)) {
    resolution.fault([...path, 'to'], 'a split needs at least one side with a weight above 0')
  }
  return { kind: 'split', by: written.by ?? [{ kind: 'consumer' }], to, pin: written.pin ?? null }
}

/** The upstreams that an action may send a request to. */
export function upstreamsOf(action: ActionSpec): readonly string[] {
  if (action.kind === 'upstream') return [action.upstream]
  return action.kind === 'split' ? action.to.map(side => side.upstream) : []
}

/** Reports a name that no upstream has. */
export function checkUpstream(
  name: string,
  path: ConfigPath,
  upstreams: ReadonlySet<string>,
  resolution: Resolution,
  what: 'key' | 'value' = 'value',
): boolean {
  if (upstreams.has(name)) return true
  // With references left alone a name may be a stand-in.
  if (!resolution.secrets && name === 'name') return true
  // It is there, and what is wrong with it is told.
  const { upstreams: written } = resolution.root
  if (resolution.partial && isConfigMap(written) && Object.hasOwn(written, name)) return false
  const there = upstreams.size === 0 ? 'there are no `upstreams`' : undefined
  resolution.fault(path, `there is no upstream \`${name}\``, didYouMean(name, upstreams) ?? there, what)
  return false
}
