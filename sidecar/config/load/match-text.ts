import { isIPv6 } from 'node:net'
import { RE2JS } from 're2js'
import type { PathMatch } from '../../routing/match-spec.ts'
import { isBounded } from './regex-cost.ts'
import { Wrong } from './scalars.ts'

const HOST = /^(?:\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*(:\d{1,5})?$/
const SEGMENT_TEMPLATE = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/

/** A host that is asked for: a name, `*.name`, an IP address; lower case, without a final dot. A port where `port` allows. */
export function parseHost(written: string, shown: string, port: boolean): string | Wrong {
  const host = written.toLowerCase().replace(/\.(?=$|:)/, '')
  if (/^https?:\/\//.test(host)) return new Wrong(`expected a host, not a URL: ${shown}`)
  const bracketed = /^\[([^\]]*)\](:\d{1,5})?$/.exec(host)
  if (bracketed !== null && isIPv6(bracketed[1] ?? '')) return host
  if (host === '*') return new Wrong('a host of `*` is every host: leave it out')
  // eslint-disable-next-line no-control-regex -- everything but ASCII is looked for
  if (/[^\x00-\x7f]/.test(host)) return new Wrong(`${shown} has to be written in its ASCII form (xn--...)`)
  if (!HOST.test(host)) {
    return new Wrong(
      host.includes('*')
        ? `${shown}: a wildcard is \`*.\` and a domain, nothing else`
        : `${shown} is no host name`,
    )
  }
  if (!port && host.includes(':')) return new Wrong(`expected a host without a port, got ${shown}`)
  return host
}

/** `/api`, `/users/{id}`, `/users/{id}/**`: a prefix or a template. */
export function parsePath(written: string, shown: string): PathMatch | Wrong {
  const wrong = pathShape(written, shown)
  if (wrong !== undefined) return wrong
  const below = written.endsWith('/**')
  const path = (below ? written.slice(0, -3) : written).replace(/(?!^)\/$/, '')
  if (path.includes('*'))
    return new Wrong(
      `${shown}: \`**\` stands only at the end, as \`/**\`, and \`*\` nowhere`,
      'one segment is `{name}`',
    )
  const names = new Set<string>()
  const segments: string[] = []
  for (const segment of path.split('/')) {
    const name = SEGMENT_TEMPLATE.exec(segment)?.[1]
    if (name === undefined && /[{}]/.test(segment)) {
      return new Wrong(
        `${shown}: \`{name}\` takes a whole segment`,
        'part of a segment is matched by `{ regex: ... }`',
      )
    }
    // As other routers write a parameter: as plain text it would match no request that is meant.
    if (/^:[A-Za-z_]\w*$/.test(segment)) {
      return new Wrong(
        `${shown}: a parameter is written \`{${segment.slice(1)}}\``,
        `write: "${written.replaceAll(/(?<=\/):([A-Za-z_]\w*)(?=\/|$)/g, '{$1}')}"; a colon itself stands in \`exact\` or \`regex\``,
      )
    }
    if (name !== undefined && names.has(name))
      return new Wrong(`${shown} has two parameters called \`${name}\``)
    if (name !== undefined) names.add(name)
    segments.push(name === undefined ? canonicalSegment(segment) : segment)
  }
  const canonical = segments.join('/')
  if (names.size > 0) return { kind: 'template', path: canonical, below }
  return { kind: 'prefix', path: canonical === '/' ? '' : canonical }
}

/** Exactly this path, its final slash included. */
export function parseExactPath(written: string, shown: string): PathMatch | Wrong {
  const wrong = pathShape(written, shown)
  if (wrong !== undefined) return wrong
  return { kind: 'exact', path: written.split('/').map(canonicalSegment).join('/') }
}

/** A regular expression that runs in linear time. */
export function parseRegex(written: string, shown: string): string | Wrong {
  let regex: RE2JS
  try {
    regex = RE2JS.compile(written)
  } catch (error) {
    const reason =
      error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error)
    const backtracking = /\(\?[=!<]|\\[1-9]/.test(written) && !/\(\?P?<[A-Za-z]/.test(written)
    return new Wrong(
      `${shown} is no regular expression in RE2 syntax: ${reason}`,
      backtracking ? 'look-around and back-references cannot run in linear time' : undefined,
    )
  }
  if (isBounded(regex)) return written
  return new Wrong(
    `${shown} is too costly: hostile text of 8 KiB could hold up all requests`,
    'fewer or smaller counts (`{1,50}`), above all behind something that repeats and inside of one another',
  )
}

/** The parameters a path brings. */
export function pathParameters(path: PathMatch): string[] {
  if (path.kind === 'template') return [...path.path.matchAll(/\{([^}]+)\}/g)].map(match => match[1] ?? '')
  if (path.kind === 'regex')
    return [...path.regex.matchAll(/\(\?P?<([A-Za-z_]\w*)>/g)].map(match => match[1] ?? '')
  return []
}

function pathShape(written: string, shown: string): Wrong | undefined {
  if (!written.startsWith('/'))
    return new Wrong(
      `a path begins with \`/\`, got ${shown}`,
      written === '' ? undefined : `write: /${written}`,
    )
  if (/[?#]/.test(written))
    return new Wrong(
      `${shown}: a path ends before \`?\` and \`#\``,
      'query parameters are matched by `query`',
    )
  if (/\/\/|\/\.\.?(\/|$)|[\s\\]/.test(written)) {
    return new Wrong(
      `${shown} can match nothing: requests arrive without \`//\`, \`/./\`, \`/../\`, spaces and backslashes`,
    )
  }
  return /%(?![0-9A-Fa-f]{2})/.test(written)
    ? new Wrong(`${shown} has a \`%\` that is no encoding`)
    : undefined
}

/** As requests arrive: unreserved characters decoded, hex in upper case, everything outside of a segment's alphabet encoded. */
function canonicalSegment(segment: string): string {
  return segment
    .replace(/%[0-9A-Fa-f]{2}/g, encoded => {
      const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
      return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase()
    })
    .replace(/[^A-Za-z0-9._~!$&'()*+,;=:@%-]/gu, character => encodeURIComponent(character))
}
