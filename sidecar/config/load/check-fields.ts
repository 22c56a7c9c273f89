import type { IdentitySpec } from '../../filters/authenticate/schema.ts'
import type { ResolvedListener } from '../resolved.ts'
import type { ConfigPath, Resolution } from './resolution.ts'

/**
 * An edge refuses requests that have a field with an underscore in its name, since many services take it for a hyphen. So
 * on an edge no credential can stand in one, and no limit counts by it.
 */
export function checkFields(
  listener: ResolvedListener,
  path: ConfigPath,
  identity: IdentitySpec,
  resolution: Resolution,
): void {
  if (listener.role !== 'edge') return
  const fault = (at: ConfigPath, message: string, name: string): void =>
    resolution.fault(at, message, `write: ${name.replaceAll('_', '-')}`, 'key')
  for (const { policies } of listener.routes) {
    for (const { kind, name } of policies.authenticate?.ways ?? []) {
      const provider = identity.providers[kind][name]
      if (provider === undefined || !('from' in provider) || provider.from.kind !== 'header') continue
      const field = provider.from.name
      if (field.includes('_'))
        fault(
          ['authentication', kind, name, ...(kind === 'apiKey' ? [] : ['from']), 'header'],
          `the edge \`${listener.name}\` refuses requests with \`_\` in a field name: no credential arrives in \`${field}\``,
          field,
        )
    }
    const { outer = [], own = [], tried } = policies.rateLimit ?? {}
    for (const limit of [...outer, ...own, ...(tried?.outer ?? []), ...(tried?.own ?? [])])
      for (const source of limit.by)
        if (source.kind === 'header' && source.name.includes('_'))
          fault(
            path,
            `the limit \`${limit.name}\` counts by \`${source.name}\`, and the edge \`${listener.name}\` refuses requests with \`_\` in a field name`,
            source.name,
          )
  }
}
