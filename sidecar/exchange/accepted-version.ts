import type { HeaderList } from './headers.ts'

/** Longer ones name no version. */
const LONGEST = 64
const VERSION = /^[a-z0-9][a-z0-9._-]*$/

/**
 * The version that a request asks for by a vendor's media type (RFC 6838 section 3.2): `v2` of
 * `application/vnd.shop.v2+json`, `2` of `application/vnd.shop+json; version=2`, for the vendor `vnd.shop`. Of several the
 * one with the highest quality, and of equals the first. Null where it asks for none. Lower case, as media types are.
 *
 * @param vendor in lower case
 */
export function acceptedVersion(headers: HeaderList, vendor: string): string | null {
  let found: string | null = null
  let best = 0
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'accept') continue
    const line = (headers[i + 1] as string).toLowerCase()
    if (!line.includes(vendor)) continue
    for (const range of split(line, ',')) {
      const [type = '', ...parameters] = split(range, ';').map(part => part.trim())
      const version = versionOf(type, parameters, vendor)
      const quality = qualityOf(parameters)
      if (version === null || quality <= best) continue
      found = version
      best = quality
    }
  }
  return found
}

function versionOf(type: string, parameters: readonly string[], vendor: string): string | null {
  const slash = type.indexOf('/')
  const plus = type.indexOf('+')
  const subtype = type.slice(slash + 1, plus === -1 ? undefined : plus)
  if (slash === -1 || !subtype.startsWith(vendor)) return null
  const rest = subtype.slice(vendor.length)
  const version = rest === '' ? parameter(parameters, 'version') : rest.startsWith('.') ? rest.slice(1) : null
  return version !== null && version.length <= LONGEST && VERSION.test(version) ? version : null
}

function qualityOf(parameters: readonly string[]): number {
  const written = parameter(parameters, 'q')
  if (written === null) return 1
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(written) ? Number(written) : 0
}

/** The parts between separators that stand in no quotes (RFC 9110 section 5.6.4). */
function split(text: string, separator: string): string[] {
  const parts: string[] = []
  let quoted = false
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '"') quoted = !quoted
    else if (character === '\\' && quoted) i++
    else if (character === separator && !quoted) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  parts.push(text.slice(from))
  return parts
}

function parameter(parameters: readonly string[], name: string): string | null {
  const found = parameters.find(one => one.startsWith(`${name}=`))
  return found === undefined ? null : found.slice(name.length + 1).replace(/^"(.*)"$/, '$1')
}
