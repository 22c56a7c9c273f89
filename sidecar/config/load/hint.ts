import type { z } from 'zod'
import { isConfigMap } from './merge.ts'
import { sectionAt } from './shape.ts'
import { nearest, nearestMisspelt } from './suggestion.ts'

type Path = readonly (string | number)[]

/**
 * What to write instead of an unknown key: one that is nearly that, the map beside it that has such a key, one that
 * begins alike, or the keys that there are.
 */
export function keyHint(schema: z.ZodType, path: Path, key: string, value: unknown): string {
  const info = sectionAt(schema, path)
  const keys = info?.keys ?? []
  if (path.length === 0 && LOG.has(key))
    return 'the level of the process log is --log-level; what is written of requests is telemetry.accessLog'
  const known = [...keys, ...(info?.later ?? [])]
  const misspelt = nearestMisspelt(key, known)
  if (misspelt !== undefined) return `did you mean \`${misspelt}\`?`
  const inside = keys.filter(one => sectionAt(schema, [...path, one])?.keys.includes(key) === true)
  const policies = sectionAt(schema, ['defaults'])?.keys ?? []
  if (info?.what === 'an upstream' && policies.includes(key))
    return `\`${key}\` stands in a route, in a listener or in \`defaults\``
  if (inside.length > 0) return `\`${key}\` stands in ${inside.map(one => `\`${one}\``).join(' or ')}`
  const near = nearest(key, known)
  if (near !== undefined) return `did you mean \`${near}\`?`
  // `routes: { users: { ... } }`: what should be a list was written as a map by name.
  if (keys.includes('name') && isConfigMap(value)) return `this is a list: - { name: ${key}, ... }`
  return `expected one of: ${keys.join(', ')}`
}

const LOG: ReadonlySet<string> = new Set(['log', 'logs', 'logging', 'logLevel', 'logger'])

/** What to write where a map is expected and its main value was given. @param what as errors call the map */
export function mapHint(what: string, given: unknown): string | undefined {
  if (given === true)
    return what === 'a health check' ? 'say what is asked: healthCheck: /healthz' : undefined
  if (typeof given !== 'string') return undefined
  switch (what) {
    case 'an upstream':
      return /[:/.]/.test(given)
        ? `write: { url: "${given.includes('://') ? given : `http://${given}`}" }`
        : undefined
    case 'cors':
      return given === '*' || given.includes('://') ? `write: { origins: "${given}" }` : undefined
    case 'a key set':
      return `write: { ${given.includes('://') ? 'url' : 'file'}: "${given}" }`
    case 'a user':
      return '`outrigger keys digest` makes the digest of a password: { sha256: ... }'
    case 'limits of requests': {
      const rate = /^(\d+)\s*(?:\/|per)\s*(s|sec|second|m|min|minute|h|hour|d|day)$/i.exec(given)
      const unit = PERIODS[rate?.[2]?.charAt(0).toLowerCase() ?? '']
      return rate === null || unit === undefined ? undefined : `write: { requests: ${rate[1]}, per: ${unit} }`
    }
    case 'a redirect':
      return `write: { to: "${given}" }`
    default:
      return undefined
  }
}

const PERIODS: Readonly<Record<string, string>> = { s: 'second', m: 'minute', h: 'hour', d: 'day' }
