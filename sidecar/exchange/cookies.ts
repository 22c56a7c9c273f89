import type { HeaderList } from './headers.ts'

/** Longer values than browsers keep are nobody's (RFC 6265 section 6.1). */
const MAX_VALUE = 4096
/** cookie-value (RFC 6265 section 4.1.1). */
const VALUE =
  /^(?:[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*|"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")$/

/**
 * The value of a cookie, without its quotes; null where the request has none of this name. The first of the name
 * decides: where it is no cookie-value by RFC 6265, or longer than 4,096 bytes, there is none.
 *
 * @param name with case, as cookie names are
 */
export function cookieValue(headers: HeaderList, name: string): string | null {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue
    const line = headers[i + 1] as string
    const from = valueStart(line, name)
    if (from === -1) continue
    let to = line.indexOf(';', from)
    if (to === -1) to = line.length
    while (to > from && isBlank(line, to - 1)) to--
    if (to - from > MAX_VALUE) return null
    const value = line.slice(from, to)
    if (!VALUE.test(value)) return null
    return value.startsWith('"') ? value.slice(1, -1) : value
  }
  return null
}

/** Takes every cookie of this name out of the request's fields; a field that holds nothing else goes whole. */
export function removeCookie(headers: HeaderList, name: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const line = headers[i + 1] as string
    if (headers[i] !== 'cookie' || valueStart(line, name) === -1) continue
    const kept = line
      .split(';')
      .map(pair => pair.trim())
      .filter(pair => pair !== '' && !pair.startsWith(`${name}=`))
    if (kept.length === 0) headers.splice(i, 2)
    else headers[i + 1] = kept.join('; ')
  }
}

/** Where the value of the first cookie of this name begins, or -1. */
function valueStart(line: string, name: string): number {
  for (let from = 0; from < line.length;) {
    while (isBlank(line, from)) from++
    if (line.startsWith(name, from) && line[from + name.length] === '=') return from + name.length + 1
    const semicolon = line.indexOf(';', from)
    if (semicolon === -1) return -1
    from = semicolon + 1
  }
  return -1
}

function isBlank(line: string, at: number): boolean {
  const code = line.charCodeAt(at)
  return code === 0x20 || code === 0x09
}
