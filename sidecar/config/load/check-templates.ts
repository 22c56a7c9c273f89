import type { MatchSpec } from '../../routing/match-spec.ts'
import type { ResolvedListener, ResolvedUpstream } from '../resolved.ts'
import type { WrittenRoute } from './listener-schema.ts'
import { pathParameters } from './match-text.ts'
import type { WrittenPolicies } from './policy-schema.ts'
import { upstreamsOf } from './resolve-action.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { readExpression } from './expression-schema.ts'
import { show, Wrong } from './scalars.ts'
import { didYouMean } from './suggestion.ts'
import { REQUEST_VALUES, templateExpressions } from './template.ts'

/** The parameters that the paths of a match bring, each path's for itself. */
function parameterSets(match: MatchSpec): Set<string>[] {
  return match.paths.map(path => new Set(pathParameters(path)))
}

/**
 * What stands in the braces of a route's own templates: a parameter of its path, or a part of the request. In a path
 * every path of the route has to bring it, since what cannot be computed there is a 400; a header is only left out.
 */
export function checkRouteTemplates(
  written: WrittenRoute,
  match: MatchSpec,
  path: ConfigPath,
  resolution: Resolution,
): void {
  const sets = parameterSets(match)
  const names = new Set(sets.flatMap(set => [...set]))
  const everywhere = new Set([...names].filter(name => sets.every(set => set.has(name))))
  if (written.redirect !== undefined) {
    checkTemplate(
      written.redirect.to,
      [...path, 'redirect', 'to'],
      { names, fitting: everywhere },
      resolution,
    )
  }
  for (const [index, key] of (written.split?.by ?? []).entries()) {
    if (key.kind !== 'param' || names.has(key.name)) continue
    checkTemplate(`{${key.name}}`, [...path, 'split', 'by', index], { names, fitting: names }, resolution)
  }
  checkPolicies(written, path, { inPaths: everywhere, names }, resolution)
}

/** What an upstream hashes by path parameters: one of the routes that lead there has to bring it. */
export function checkHashedParameters(
  upstreams: ReadonlyMap<string, ResolvedUpstream>,
  listeners: readonly ResolvedListener[],
  resolution: Resolution,
): void {
  for (const [name, { loadBalance }] of upstreams) {
    for (const [index, key] of loadBalance.by.entries()) {
      if (key.kind !== 'param') continue
      const routes = listeners.flatMap(one => one.routes)
      const there = routes.filter(route => upstreamsOf(route.action).includes(name))
      const names = new Set(there.flatMap(({ match }) => parameterSets(match).flatMap(set => [...set])))
      if (names.has(key.name)) continue
      resolution.fault(
        ['upstreams', name, 'loadBalance', 'by', index],
        `\`${key.name}\` is no parameter of the path of any route to this upstream`,
        didYouMean(key.name, names),
      )
    }
  }
}

/** The same for policies that several routes inherit: one of them has to bring what is named. */
export function checkInheritedTemplates(
  written: WrittenPolicies,
  matches: readonly MatchSpec[],
  path: ConfigPath,
  resolution: Resolution,
): void {
  if (!written.rewrite && !written.headers) return
  const names = new Set(matches.flatMap(match => parameterSets(match).flatMap(set => [...set])))
  checkPolicies(written, path, { inPaths: names, names }, resolution)
}

function checkPolicies(
  { rewrite, headers }: WrittenPolicies,
  path: ConfigPath,
  { inPaths, names }: { inPaths: ReadonlySet<string>; names: ReadonlySet<string> },
  resolution: Resolution,
): void {
  if (rewrite && rewrite.path !== undefined) {
    checkTemplate(rewrite.path, [...path, 'rewrite', 'path'], { names, fitting: inPaths }, resolution)
  }
  if (!headers) return
  for (const side of ['request', 'response'] as const) {
    for (const verb of ['set', 'add'] as const) {
      for (const [name, template] of Object.entries(headers[side]?.[verb] ?? {})) {
        checkTemplate(template, [...path, 'headers', side, verb, name], { names, fitting: names }, resolution)
      }
    }
  }
}

function checkTemplate(
  template: string,
  path: ConfigPath,
  { names, fitting }: { names: ReadonlySet<string>; fitting: ReadonlySet<string> },
  resolution: Resolution,
): void {
  for (const expression of templateExpressions(template)) {
    if (REQUEST_VALUES.includes(expression) || fitting.has(expression)) continue
    if (isParameter(expression)) {
      const message = names.has(expression)
        ? `\`{${expression}}\` is not a parameter of every path of this route`
        : `\`{${expression}}\` is no parameter of the path`
      resolution.fault(path, message, didYouMean(expression, [...fitting, ...REQUEST_VALUES]))
      continue
    }
    const read = readExpression(expression, show(expression), 'value', 'request')
    if (read instanceof Wrong) resolution.fault(path, `\`{${expression}}\`: ${read.message}`, read.suggestion)
  }
}

function isParameter(expression: string): boolean {
  return /^[A-Za-z_]\w*$/.test(expression)
}
