import type { AuthorizeConditions, AuthorizePolicy } from '../../filters/authorize/schema.ts'
import type { WrittenAuthorize } from './authorize-schema.ts'
import type { ConfigPath, Resolution } from './resolution.ts'

/** A level with what it says of authorization. */
interface Level {
  readonly policies: { readonly authorize?: WrittenAuthorize | undefined }
  readonly path: ConfigPath
  readonly label: string
  readonly name?: string
}

const CONDITIONS = ['peers', 'groups', 'scopes'] as const
type Condition = (typeof CONDITIONS)[number]

interface Said {
  readonly names: readonly string[]
  readonly dryRun: boolean
}

/**
 * What has to hold of who is calling, over all levels since the last `off`; null: nothing. The innermost level that says
 * a condition decides that one, and the others stay. `dryRun` is about what stands beside it, so that trying something
 * out below takes away nothing above; alone it is about everything that is inherited.
 */
export function resolveAuthorize(levels: readonly Level[], resolution: Resolution): AuthorizePolicy | null {
  const off = levels.findLastIndex(({ policies }) => policies.authorize === false)
  const said = new Map<Condition, Said>()
  const saying: Level[] = []
  let dryRun = false
  for (const level of levels.slice(off + 1)) {
    const { authorize } = level.policies
    if (authorize === undefined || authorize === false) continue
    saying.push(level)
    const own = CONDITIONS.filter(key => authorize[key] !== undefined)
    for (const key of own)
      said.set(key, { names: [...new Set(authorize[key])], dryRun: authorize.dryRun ?? false })
    if (own.length > 0 || authorize.dryRun === undefined) continue
    dryRun = authorize.dryRun
    for (const [key, { names }] of said) said.set(key, { names, dryRun })
  }
  const innermost = saying.at(-1)
  if (innermost === undefined) return null
  if (said.size === 0) warnOfNothing(innermost, resolution)
  const nothing = said.size === 0 ? NOTHING : null
  return {
    enforced: conditions(said, false) ?? (dryRun ? null : nothing),
    reported: conditions(said, true) ?? (dryRun ? nothing : null),
    rule: saying.map(levelText).join(' + '),
  }
}

const NOTHING: AuthorizeConditions = { peers: null, groups: null, scopes: null }

function conditions(said: ReadonlyMap<Condition, Said>, dryRun: boolean): AuthorizeConditions | null {
  const names = (key: Condition): readonly string[] | null => {
    const one = said.get(key)
    return one?.dryRun === dryRun ? one.names : null
  }
  if (![...said.values()].some(one => one.dryRun === dryRun)) return null
  return { peers: names('peers'), groups: names('groups'), scopes: names('scopes') }
}

function warnOfNothing(level: Level, resolution: Resolution): void {
  if (resolution.partial) return
  const line = resolution.line([...level.path, 'authorize'])
  const text = `\`authorize\` (${line}) says nothing that could hold: it refuses everybody`
  // Once, however many routes inherit it.
  if (!resolution.warnings.includes(text)) resolution.warnings.push(text)
}

/** Such as `route.orders`: stays the same when lines of the file move. */
function levelText({ label, name }: Level): string {
  return name === undefined ? label : `${label}.${name}`
}
