import type { ConsumerSpec } from '../../filters/authenticate/schema.ts'
import type { Resolution } from './resolution.ts'

const DAY_MS = 86_400_000
/** From when on it is said that a key ends. */
const SOON_MS = 7 * DAY_MS
/** How many keys are named; the others are counted. */
const NAMED = 10

/** Warns of API keys that have ended, which let nobody in, and of those that end within seven days. */
export function checkKeys(consumers: readonly ConsumerSpec[], resolution: Resolution): void {
  const { now } = resolution
  const ending: { readonly text: string; readonly expires: number }[] = []
  for (const [index, { name, apiKeys }] of consumers.entries()) {
    for (const [at, { expires }] of apiKeys.entries()) {
      if (expires === null || expires - now > SOON_MS) continue
      const place = resolution.line(['consumers', index, 'apiKeys', at])
      const when = new Date(expires).toISOString()
      const days = Math.floor((expires - now) / DAY_MS)
      const left = days < 1 ? 'in less than a day' : days === 1 ? 'in a day' : `in ${days} days`
      const text =
        expires <= now
          ? `an API key of ${name} ended at ${when}: it lets nobody in (${place})`
          : `an API key of ${name} ends ${left}, at ${when} (${place})`
      ending.push({ text, expires })
    }
  }
  // Those that can still be renewed in time go first, then those that ended last.
  ending.sort((a, b) =>
    a.expires > now === b.expires > now
      ? Math.abs(a.expires - now) - Math.abs(b.expires - now)
      : b.expires - a.expires,
  )
  resolution.warnings.push(...ending.slice(0, NAMED).map(({ text }) => text))
  const more = ending.length - NAMED
  if (more > 0) resolution.warnings.push(`${more} more API keys have ended or end within seven days`)
}
