import type { KeySource } from '../../exchange/request-key.ts'
import type {
  CalendarUnit,
  CallerLimits,
  LimitsConfig,
  LimitSpec,
  Rate,
  StoreSpec,
} from '../../filters/rate-limit/schema.ts'
import { contentHash } from './hash.ts'
import { limitName } from './limit-name.ts'
import type { WrittenCallerLimits, WrittenLimit, WrittenPer, WrittenStores } from './limit-schema.ts'
import { parseName, Wrong } from './scalars.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { readAuthorities, readCertificate } from './tls-files.ts'
import { didYouMean } from './suggestion.ts'

/** The word of `store` for a count in the process itself. */
const MEMORY = 'memory'
const CALENDAR: ReadonlySet<string> = new Set<CalendarUnit>(['day', 'week', 'month', 'year'])
const CONSUMER: readonly KeySource[] = [{ kind: 'consumer' }]

/** What limits may name. */
interface Names {
  readonly stores: readonly string[]
  readonly plans: readonly string[]
}

/** The stores, and what plans and consumers say of limits. */
export function resolveLimitsConfig(
  written: {
    readonly service: string
    readonly stores?: WrittenStores | undefined
    readonly plans?:
      Readonly<Record<string, { readonly rateLimit?: WrittenCallerLimits | undefined }>> | undefined
    readonly consumers?:
      readonly { readonly name: string; readonly rateLimit?: WrittenCallerLimits | undefined }[] | undefined
  },
  resolution: Resolution,
): LimitsConfig {
  const plans = written.plans ?? {}
  const stores = Object.entries(written.stores ?? {}).map(([name, one]) =>
    resolveStore(name, one, written.service, resolution),
  )
  const names = { stores: stores.map(store => store.name), plans: Object.keys(plans) }
  const caller = (limits: WrittenCallerLimits | undefined, scope: string, path: ConfigPath): CallerLimits =>
    limits === undefined || limits === false
      ? { off: limits === false, limits: [] }
      : { off: false, limits: resolveLimits(limits.limits, scope, path, names, resolution) }
  const consumers = (written.consumers ?? []).flatMap(
    ({ name, rateLimit }, index): [string, CallerLimits][] => {
      const path = ['consumers', index, 'rateLimit']
      return rateLimit === undefined ? [] : [[name, caller(rateLimit, `consumer.${name}`, path)]]
    },
  )
  const content = {
    stores: Object.fromEntries(stores.map(store => [store.name, store])),
    plans: Object.fromEntries(
      Object.entries(plans).map(([name, { rateLimit }]) => [
        name,
        caller(rateLimit, `plan.${name}`, ['plans', name, 'rateLimit']),
      ]),
    ),
    consumers: Object.fromEntries(consumers),
  }
  return { ...content, digest: contentHash(content) }
}

function resolveStore(
  name: string,
  written: WrittenStores[string],
  service: string,
  resolution: Resolution,
): StoreSpec {
  const { redis, cluster = false, tls, timeout = 20, onError = 'local' } = written
  const path = ['stores', name]
  const fault = (key: string, message: string, suggestion?: string): void => {
    if (!resolution.partial) resolution.fault([...path, key], message, suggestion)
  }
  if (name === MEMORY)
    resolution.fault(path, `\`${MEMORY}\` is this process: give the store another name`, undefined, 'key')
  if (redis.length === 0) fault('redis', '`redis` is empty: expected an address')
  if (redis.length > 1 && !cluster)
    fault('redis', 'several addresses are nodes of a cluster', 'say `cluster: on`, or give one address')
  if (cluster && resolution.secrets && redis.some(url => /^\/[1-9]/.test(URL.parse(url)?.pathname ?? '')))
    fault('redis', 'a cluster has no databases with numbers', 'leave the path out')
  const encrypted = redis.every(url => url.startsWith('rediss:'))
  if (!encrypted && resolution.secrets && (tls !== undefined || redis.some(url => url.startsWith('rediss:'))))
    fault(tls === undefined ? 'redis' : 'tls', 'TLS needs addresses that all begin with `rediss://`')
  const spec = {
    name,
    urls: redis,
    cluster,
    tls: tls === undefined ? null : resolveStoreTls(tls, [...path, 'tls'], resolution),
    timeout,
    onError,
    prefix: `outrigger:${service}:`,
  }
  return { ...spec, digest: contentHash(spec) }
}

function resolveStoreTls(
  { ca, cert, key }: NonNullable<WrittenStores[string]['tls']>,
  path: ConfigPath,
  resolution: Resolution,
): NonNullable<StoreSpec['tls']> {
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? 'cert' : 'key'
    const message = `\`cert\` and \`key\` belong together: \`${missing}\` is missing`
    resolution.fault(path, message, undefined, 'key')
  }
  const own =
    cert === undefined || key === undefined ? null : readCertificate({ cert, key }, path, resolution)
  return {
    ca: ca === undefined ? null : readAuthorities(ca, [...path, 'ca'], resolution),
    cert: own?.cert ?? null,
    key: own?.key ?? null,
  }
}

/** By the list as it was written: the levels above a route are the same for all routes. */
const resolved = new WeakMap<object, readonly LimitSpec[]>()

/** The limits of one list. */
export function resolveLimits(
  written: readonly WrittenLimit[],
  scope: string,
  path: ConfigPath,
  names: Names,
  resolution: Resolution,
): readonly LimitSpec[] {
  let limits = resolved.get(written)
  if (limits === undefined) {
    limits = written.flatMap((limit, index) => {
      const one = resolveLimit(limit, scope, [...path, 'limits', index], names, resolution)
      return one === null ? [] : [one]
    })
    for (const [index, { name }] of limits.entries()) {
      if (limits.findIndex(other => other.name === name) === index || !resolution.secrets) continue
      resolution.fault(
        [...path, 'limits', index],
        `two limits here are called \`${name}\``,
        'give one of them a `name`',
      )
    }
    resolved.set(written, limits)
  }
  return limits
}

function resolveLimit(
  written: WrittenLimit,
  scope: string,
  path: ConfigPath,
  names: Names,
  resolution: Resolution,
): LimitSpec | null {
  const fault = (key: string | null, message: string, suggestion?: string): void => {
    if (!resolution.partial)
      resolution.fault(key === null ? path : [...path, key], message, suggestion, 'key')
  }
  const { requests, per, concurrent, burst, lease, plans = {}, before } = written
  const by = written.by ?? CONSUMER
  if (before !== undefined) checkEarly(written, scope, fault)
  const { max: cost, ...costBy } = costOf(written.cost)
  for (const plan of Object.keys(plans)) {
    if (names.plans.includes(plan)) continue
    if (resolution.secrets && !resolution.partial)
      resolution.fault(
        [...path, 'plans', plan],
        `there is no plan \`${plan}\``,
        didYouMean(plan, names.plans),
        'key',
      )
  }
  if (by.length === 0) fault('by', '`by` is empty', 'write `by: all`')
  const quota = concurrent ?? requests
  const name = written.name ?? limitName({ ...written, per: per?.text, by: by.map(nameable) }) ?? ''
  const early = before === undefined ? {} : ({ early: true } as const)
  const common = { name, scope, by, plans, cost, ...costBy, ...early }
  if (concurrent !== undefined) {
    for (const key of ['requests', 'per', 'burst', 'store', 'lease'] as const)
      if (written[key] !== undefined) fault(key, `\`${key}\` cannot stand beside \`concurrent\``)
    checkName(name, path, resolution)
    checkCost(cost, [concurrent, ...Object.values(plans)], fault)
    return { ...common, rate: { kind: 'concurrent' }, quota: concurrent, per: '', store: null }
  }
  if (quota === undefined || per === undefined) {
    fault(
      null,
      quota === undefined
        ? per === undefined
          ? 'expected `requests` and `per`, or `concurrent`'
          : '`requests` is missing in a limit'
        : '`per` is missing in a limit: requests in which time?',
      quota === undefined ? undefined : 'e.g. per: minute',
    )
    return null
  }
  checkName(name, path, resolution)
  checkCost(cost, burst === undefined ? [quota, ...Object.values(plans)] : [burst], fault)
  const store = storeOf(written, names, fault)
  const limit = { ...common, rate: rateOf(per, burst), quota, per: per.text, store }
  if (lease === undefined) return limit
  if (store === null)
    fault('lease', '`lease` is taken from a store, and this limit is counted in the process')
  if (lease <= cost)
    fault('lease', `a lease of ${lease} pays for no more than one request, which costs up to ${cost}`)
  return { ...limit, lease }
}

/** In front of authentication nobody knows who calls. */
function checkEarly({ by, plans, cost }: WrittenLimit, scope: string, fault: Fault): void {
  if (/^(plan|consumer)\./.test(scope))
    fault('before', 'who has this limit is known only after authentication: leave `before` out')
  for (const { kind } of by ?? CONSUMER)
    if (kind === 'consumer' || kind === 'group' || kind === 'claim' || kind === 'cel')
      fault(
        by === undefined ? 'before' : 'by',
        `\`${kind}\` may need the caller, who is not known before authentication`,
        'e.g. by: address',
      )
  if (plans !== undefined) fault('plans', 'which plan a caller has is not known before authentication')
  if (typeof cost === 'object')
    fault('cost', 'an expression may need the caller, who is not known before authentication')
}

/** As the counts need it: the most, and the expression where there is one. */
function costOf(written: WrittenLimit['cost']): { readonly max: number; readonly costBy?: string } {
  if (written === undefined) return { max: 1 }
  return typeof written === 'number' ? { max: written } : { max: written.max, costBy: written.cel }
}

function rateOf({ text, window }: WrittenPer, burst: number | undefined): Rate {
  if (burst !== undefined) return { kind: 'bucket', window, burst }
  // The set holds nothing else.
  return CALENDAR.has(text) ? { kind: 'calendar', unit: text as CalendarUnit } : { kind: 'sliding', window }
}

type Fault = (key: string | null, message: string, suggestion?: string) => void

function storeOf({ store }: WrittenLimit, { stores }: Names, fault: Fault): string | null {
  if (store === undefined) return stores.includes('default') ? 'default' : null
  if (store === MEMORY) return null
  if (!stores.includes(store)) fault('store', `there is no store \`${store}\``, didYouMean(store, stores))
  return store
}

function checkCost(cost: number, numbers: readonly (number | null)[], fault: Fault): void {
  const least = Math.min(...numbers.filter(number => number !== null))
  if (cost > least) fault('cost', `one request costs ${cost} and the limit is ${least}: none would pass`)
}

function checkName(name: string, path: ConfigPath, resolution: Resolution): void {
  const wrong = parseName(name, `\`${name}\``)
  if (wrong instanceof Wrong && resolution.secrets)
    resolution.fault(path, `${wrong.message}: give the limit a \`name\``, undefined, 'key')
}

function nameable(source: KeySource): unknown {
  return 'name' in source ? { [source.kind]: source.name } : source.kind
}
