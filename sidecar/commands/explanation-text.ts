import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import { callerText } from './caller-text.ts'
import type { Explanation } from './explanation.ts'
import { liveLines } from './live-upstream.ts'

/** An explanation as people read it, with a final line feed. */
export function formatExplanation(explained: Explanation): string {
  const { request, listener, route, decision, upstream } = explained
  const lines: string[] = []
  const say = (label: string, text: string): void => void lines.push(`${label.padEnd(12)}${text}`.trimEnd())
  say('layers', explained.layers.join(', '))
  say('request', request === null ? 'cannot be read in one way only' : requestText(request))
  say('address', explained.address)
  say('listener', listener === null ? 'none' : `${listener.name}, ${listener.role} (${listener.at})`)
  say('route', route === null ? 'none' : `${route.name} (${route.at})`)
  for (const [name, value] of Object.entries(route?.params ?? {})) say('', `{${name}} = ${value}`)
  if (explained.routes.length > 0) say('routes', '')
  const outcomes = { chosen: 'chosen:', matches: 'matches, but', no: 'no:' } as const
  const width = widest(explained.routes.map(one => one.name))
  for (const one of explained.routes)
    lines.push(`  ${one.name.padEnd(width)}  ${outcomes[one.outcome]} ${one.why}`)
  if (explained.omitted > 0) lines.push(`  and ${explained.omitted} more`)
  if (explained.policies.length > 0) say('policies', '')
  const longest = widest(explained.policies.map(one => one.name))
  for (const { name, text, from } of explained.policies)
    lines.push(`  ${name.padEnd(longest)}  ${text}, from: ${from}`)
  if (explained.caller !== null) say('caller', callerText(explained.caller))
  for (const [index, limit] of explained.limits.entries()) say(index === 0 ? 'limits' : '', limit)
  say('decision', decision.text)
  if (upstream !== null) {
    say('upstream', `${upstream.name} (${upstream.at})`)
    say('  target', upstream.target)
    say('  host', upstream.host)
    if (upstream.upgrade !== null) say('  upgrade', upstream.upgrade)
    say('  served by', `${upstream.endpoints.join(', ')} (${upstream.loadBalance})`)
    if (upstream.hashed !== null) say('  hashed', upstream.hashed)
    for (const [label, text] of upstream.settings) say(`  ${label}`, text)
    for (const [label, text] of upstream.live === null ? [] : liveLines(upstream.live))
      say(`  ${label}`, text)
    for (const [name, value] of upstream.headers) say('  header', `${name}: ${value}`)
  }
  // What stands in a request or a file must not steer the terminal that shows it.
  // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
  return `${lines.join('\n').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '?')}\n`
}

function requestText(request: CanonicalRequest): string {
  const { method, scheme, host, port, path, query, hasQuery } = request
  return `${method} ${scheme}://${host}${port === 0 ? '' : `:${port}`}${path}${hasQuery ? `?${query}` : ''}`
}

function widest(texts: readonly string[]): number {
  return Math.min(
    30,
    texts.reduce((width, text) => Math.max(width, text.length), 0),
  )
}
