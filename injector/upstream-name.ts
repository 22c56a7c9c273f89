/** An upstream that the app calls, and the variable that tells it where. */
export interface Upstream {
  readonly name: string
  /** Such as `http://users:8080`. */
  readonly url: string
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,40}$/
const HOST = /^[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?$/
const URL = /^https?:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?(?:\/[\w.~/-]*)?$/

/**
 * Reads `users`, `users=users.shop:8080` or `users=https://users.shop`, several with a comma or a space between.
 * @returns the upstreams, or what is wrong
 */
export function readUpstreams(text: string): Upstream[] | string {
  const found: Upstream[] = []
  for (const part of text.split(/[\s,]+/).filter(one => one !== '')) {
    const [name = '', place = name, ...rest] = part.split('=')
    if (!NAME.test(name)) return `"${part}" does not begin with a name`
    const url = HOST.test(place) ? `http://${place}` : place
    if (rest.length > 0 || !URL.test(url)) return `"${part}" names no host and no URL`
    if (found.some(one => variableOf(one.name) === variableOf(name))) return `"${name}" is there twice`
    found.push({ name, url })
  }
  return found
}

/** The variable of an upstream: `order-items` is `ORDER_ITEMS_URL`. */
export function variableOf(name: string): string {
  const variable = `${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_URL`
  return /^\d/.test(variable) ? `_${variable}` : variable
}
