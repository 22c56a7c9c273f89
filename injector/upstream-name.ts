/** An upstream that the app calls, and the variable that tells it where. */
export interface Upstream {
  readonly name: string
  /** Such as `http://users:8080`. */
  readonly url: string
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,40}$/
const HOST = /^[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?$/
const PLACE = /^https?:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?(?:\/[\w.~/-]*)?$/
/** What the app and its probes are called in the configuration that the injector writes. */
const OWN = /^(?:app|probe)-\d+$/
/** Each has a listener, and a variable in every container. */
const MOST = 256

/**
 * Reads `users`, `users=users.shop:8080` or `users=https://users.shop`, several with a comma or a space between.
 * @returns the upstreams, or what is wrong
 */
export function readUpstreams(text: string): Upstream[] | string {
  const found = new Map<string, Upstream>()
  const parts = text.split(/[\s,]+/).filter(one => one !== '')
  if (parts.length > MOST) return `it names ${parts.length} upstreams, and ${MOST} are the most`
  for (const part of parts) {
    const [name = '', place = name, ...rest] = part.split('=')
    if (!NAME.test(name)) return `"${part}" does not begin with a name`
    if (OWN.test(name)) return `"${name}" is a name of the injector's own`
    const url = HOST.test(place) ? `http://${place}` : place
    if (rest.length > 0 || !PLACE.test(url) || !isUrl(url)) return `"${part}" names no host and no URL`
    const variable = variableOf(name)
    if (found.has(variable)) return `"${name}" is there twice`
    found.set(variable, { name, url })
  }
  return [...found.values()]
}

function isUrl(text: string): boolean {
  return URL.canParse(text) && new URL(text).port !== '0'
}

/** A host by which a client of HTTP_PROXY would mean two upstreams: each is found by its name, and by that in its URL. */
export function hostTwice(upstreams: readonly Upstream[]): string | null {
  const seen = new Set<string>()
  for (const { name, url } of upstreams) {
    const hosts = new Set([name.toLowerCase(), new URL(url).hostname])
    for (const host of hosts) {
      if (seen.has(host)) return host
      seen.add(host)
    }
  }
  return null
}

/** The variable of an upstream: `order-items` is `ORDER_ITEMS_URL`. */
export function variableOf(name: string): string {
  const variable = `${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_URL`
  return /^\d/.test(variable) ? `_${variable}` : variable
}
