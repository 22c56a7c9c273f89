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

const NAMED = ['allow', 'deny', 'peers', 'groups', 'scopes'] as const
const CONDITIONS = [...NAMED, 'when'] as const
type Condition = (typeof CONDITIONS)[number]

interface Said {
  readonly value: readonly string[] | string | undefined
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
  // Whether a service of `authorization.external` decides: then it may be all that is said.
  let asked = false
  for (const level of levels.slice(off + 1)) {
    const { authorize } = level.policies
    if (authorize === undefined || authorize === false) continue
    saying.push(level)
    const own = CONDITIONS.filter(key => authorize[key] !== undefined)
    for (const key of own) said.set(key, { value: authorize[key], dryRun: authorize.dryRun ?? false })
    if (authorize.external !== undefined) asked = true
    if (own.length > 0 || authorize.external !== undefined || authorize.dryRun === undefined) continue
    dryRun = authorize.dryRun
    for (const [key, { value }] of said) said.set(key, { value, dryRun })
  }
  const innermost = saying.at(-1)
  if (innermost === undefined) return null
  if (said.size === 0 && asked) return null
  if (said.size === 0) warnOfNothing(innermost, resolution)
  const nothing = said.size === 0 ? NOTHING : null
  return {
    enforced: conditions(said, false) ?? (dryRun ? null : nothing),
    reported: conditions(said, true) ?? (dryRun ? nothing : null),
    rule: saying.map(levelText).join(' + '),
  }
}

const NOTHING: AuthorizeConditions = { peers: null, groups: null, scopes: null, when: null }

function conditions(said: ReadonlyMap<Condition, Said>, dryRun: boolean): AuthorizeConditions | null {
  const value = (key: Condition): Said['value'] => {
    const one = said.get(key)
    return one?.dryRun === dryRun ? one.value : undefined
  }
  const names = (key: (typeof NAMED)[number]): readonly string[] | null => {
    const given = value(key)
    return Array.isArray(given) ? [...new Set(given)] : null
  }
  const when = value('when')
  if (![...said.values()].some(one => one.dryRun === dryRun)) return null
  const allow = names('allow')
  const deny = names('deny')
  return {
    ...(allow === null ? {} : { allow }),
    ...(deny === null ? {} : { deny }),
    peers: names('peers'),
    groups: names('groups'),
    scopes: names('scopes'),
    when: typeof when === 'string' ? when : null,
  }
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
