/**
 * Which origins a list allows: exact ones, those whose host begins with a star (one label or more), a lone star for every
 * one. Origins are compared as they are sent: scheme, host and port are in lower case by the standard.
 */
export function compileOrigins(origins: readonly string[]): (origin: string) => boolean {
  if (origins.includes('*')) return () => true
  const exact = new Set<string>()
  const wildcards: { readonly scheme: string; readonly suffix: string }[] = []
  for (const origin of origins) {
    const at = origin.indexOf('://*.')
    if (at === -1) exact.add(origin)
    else wildcards.push({ scheme: origin.slice(0, at + 3), suffix: origin.slice(at + 4) })
  }
  return origin =>
    exact.has(origin) ||
    wildcards.some(({ scheme, suffix }) => {
      if (!origin.startsWith(scheme) || !origin.endsWith(suffix)) return false
      // What the star stands for is one label or more, and never a port, a path or a user.
      return LABELS.test(origin.slice(scheme.length, -suffix.length))
    })
}

const LABELS = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/
