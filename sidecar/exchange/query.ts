/** A name or value of a query (the form encoding of the URL standard), or the text as it is where it is badly encoded. */
export function decodeQuery(text: string): string {
  if (!/[%+]/.test(text)) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

/**
 * The decoded value of the first parameter of this name, or null where there is none. A parameter without `=` is empty.
 *
 * @param query what follows the `?`
 * @param name decoded
 */
export function queryValue(query: string, name: string): string | null {
  for (let from = 0; from < query.length;) {
    let to = query.indexOf('&', from)
    if (to === -1) to = query.length
    const equals = query.indexOf('=', from)
    const nameEnd = equals === -1 || equals > to ? to : equals
    if (decodeQuery(query.slice(from, nameEnd)) === name) return decodeQuery(query.slice(nameEnd + 1, to))
    from = to + 1
  }
  return null
}
