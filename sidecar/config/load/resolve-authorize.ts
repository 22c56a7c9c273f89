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

/** What is said of each condition. */
type Said = Map<Condition, readonly string[] | string | undefined>

/**
 * What has to hold of who is calling, over all levels since the last `off`; null: nothing. The innermost level that says
 * a condition decides that one, and the others stay. `dryRun` is about what stands beside it, so that trying something
 * out below takes away nothing above, the same condition included; alone it is about everything that is inherited.
 */
export function resolveAuthorize(levels: readonly Level[], resolution: Resolution): AuthorizePolicy | null {
  const off = levels.findLastIndex(({ policies }) => policies.authorize === false)
  const enforced: Said = new Map()
  const tried: Said = new Map()
  const saying: Level[] = []
  let dryRun = false
  // Whether a service of `authorization.external` decides: then it may be all that is said.
  let asked = false
  for (const level of levels.slice(off + 1)) {
    const { authorize } = level.policies
    if (authorize === undefined || authorize === false) continue
    saying.push(level)
    const own = CONDITIONS.filter(key => authorize[key] !== undefined)
    for (const key of own) {
      if (authorize.dryRun === true) tried.set(key, authorize[key])
      else {
        enforced.set(key, authorize[key])
        tried.delete(key)
      }
    }
    if (authorize.external !== undefined) asked = true
    if (own.length > 0 || authorize.external !== undefined || authorize.dryRun === undefined) continue
    dryRun = authorize.dryRun
    if (dryRun) move(enforced, tried, key => !tried.has(key))
    else move(tried, enforced, () => true)
  }
  const innermost = saying.at(-1)
  if (innermost === undefined) return null
  const empty = enforced.size + tried.size === 0
  if (empty && asked) return null
  if (empty) warnOfNothing(innermost, resolution)
  const nothing = empty ? NOTHING : null
  return {
    enforced: conditions(enforced) ?? (dryRun ? null : nothing),
    reported: conditions(tried) ?? (dryRun ? nothing : null),
    rule: saying.map(levelText).join(' + '),
  }
}

function move(from: Said, to: Said, which: (key: Condition) => boolean): void {
  for (const [key, value] of from) if (which(key)) to.set(key, value)
  from.clear()
}

const NOTHING: AuthorizeConditions = { peers: null, groups: null, scopes: null, when: null }

function conditions(said: Said): AuthorizeConditions | null {
  if (said.size === 0) return null
  const names = (key: (typeof NAMED)[number]): readonly string[] | null => {
    const given = said.get(key)
    return Array.isArray(given) ? [...new Set(given)] : null
  }
  const when = said.get('when')
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
