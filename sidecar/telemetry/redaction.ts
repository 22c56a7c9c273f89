/** What stands in place of a secret. */
export const REDACTED = '***'

// Names that are a secret as a whole, and parts that make one of any name. Compared without case and separators.
const WHOLE = new Set(
  'key code sig auth pwd pass sid jwt session sessionid ticket otp pin cookie setcookie authorization proxyauthorization'.split(
    ' ',
  ),
)
const PARTS =
  /token|secret|passw|passphrase|apikey|accesskey|privatekey|signature|credential|assertion|samlre/

// Of parameters only: keys of every kind (`subscription-key`), and what proves a login.
const ENDS = /key$|verifier$|passcode$/

const FIELDS = /^(proxy)?authorization$|cookie$/

/** Whether a field of a log line or of a shown configuration holds a secret. `key` and `code` are plain words there. */
export function isSecretField(name: string): boolean {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  return PARTS.test(plain) || FIELDS.test(plain)
}

// `//user:password@` and `//token@`. A reference says nothing of what it stands for.
const PASSWORD =
  /(:\/\/(?:(?:\$\{[^}]*\}|\$(?!\{)|[^\s/?#:@"'`$])*:(?!\$\{[^}]*\}@)|(?=[^\s/?#:@"'`]+@)))([^\s/?#@"'`]+)@/g

/** Text in which the passwords of URLs are replaced. @param hidden what stands in place of one */
export function redactUrls(text: string, hidden = (_password: string): string => REDACTED): string {
  if (!text.includes('@')) return text
  return text.replaceAll(PASSWORD, (_, before: string, password: string) => `${before}${hidden(password)}@`)
}

/** Whether a query parameter of this name holds a secret. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  return WHOLE.has(plain) || PARTS.test(plain) || ENDS.test(plain)
}

/** Decisions by name as sent, since few different names come; emptied when clients make up too many. */
const decisions = new Map<string, boolean>()
const MAX_DECISIONS = 1_024
const LONGEST_NAME = 256

function hides(name: string): boolean {
  // A name that long is no parameter anyone reads; hiding its value costs nothing.
  if (name.length > LONGEST_NAME) return true
  let secret = decisions.get(name)
  if (secret === undefined) {
    secret = isSecretName(decoded(name))
    if (decisions.size >= MAX_DECISIONS) decisions.clear()
    decisions.set(name, secret)
  }
  return secret
}

/** The query with the values of secret parameters replaced, names and order kept. */
export function redactQuery(query: string): string {
  let result = ''
  /** Up to where the query stands in the result. */
  let copied = 0
  let start = 0
  while (start < query.length) {
    let end = start
    let equals = -1
    // `;` separates parameters in some applications; taking it as one can only hide more.
    for (; end < query.length; end++) {
      const code = query.charCodeAt(end)
      if (code === 0x26 || code === 0x3b) break
      if (code === 0x3d && equals === -1) equals = end
    }
    if (equals !== -1 && hides(query.slice(start, equals))) {
      result += query.slice(copied, equals + 1) + REDACTED
      copied = end
    }
    start = end + 1
  }
  return copied === 0 ? query : result + query.slice(copied)
}

/** A request target in whatever form, without the user information of an absolute URL and with its query redacted. */
export function redactTarget(target: string): { readonly path: string; readonly query: string } {
  const mark = target.indexOf('?')
  const path = (mark === -1 ? target : target.slice(0, mark)).replace(
    /^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i,
    '$1',
  )
  return { path, query: mark === -1 ? '' : redactQuery(target.slice(mark + 1)) }
}

/** A name with percent encoding taken off, so that `%74oken` hides nothing. Encoded twice counts too. */
function decoded(name: string): string {
  let text = name
  for (let i = 0; i < 2 && text.includes('%'); i++) {
    text = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
  }
  return text
}
