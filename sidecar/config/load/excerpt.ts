import { isSecretField, redactUrls } from '../../telemetry/redaction.ts'

const LIMIT = 160

/**
 * The line of an error as it is shown: cut where it is very long, and without the secrets in it, since it stands in the
 * process log of a reload too. What is hidden keeps its length, so that the caret stands under its character.
 */
export function excerptOf(line: string): string {
  // A line of a megabyte helps nobody; what lies beyond the cut is named by its column.
  return line.length > LIMIT ? `${hideSecrets(line.slice(0, LIMIT))}...` : hideSecrets(line)
}

/** Whether a column (from 1) lies in what is shown of its line. */
export function isShown(column: number): boolean {
  return column <= LIMIT + 1
}

// A key, quoted or not, with its colon, and a scalar: in quotes, which need not be closed, or plain.
const KEY = String.raw`((?:"([^"]*)"|'([^']*)')\s*:\s*|([\w.-]+)\s*:\s+)`
const QUOTED = String.raw`"(?:[^"\\]|\\.)*"?|'[^']*'?`
const BLOCK = new RegExp(String.raw`${KEY}(${QUOTED}|[^\s"'#&*|>].*)`, 'g')
// Within braces a plain value ends before a comma.
const FLOW = new RegExp(
  String.raw`${KEY}(${QUOTED}|(?:\$\{[^}]*\}|[^\s,{}[\]"'#&*|>])(?:\$\{[^}]*\}|,(?=\S)|[^,{}[\]])*)`,
  'g',
)
// Names, words and references tell nothing.
const PLAIN = /^(on|off|true|false|null|~|\.\.\.|([\w-]+ )?\$\{[^}]*\}?)$/

const DIGEST = /^[0-9a-f]{64}$/i

/** Whether the value under a key is a secret. In most places `cookie` and `apiKey` are names, `tokenFile` and its like files. */
export function isSecretMember(name: string, value: string): boolean {
  if (PLAIN.test(value)) return false
  // What stands in the place of a digest and is none may be the key or the password itself.
  if (name === 'sha256') return !DIGEST.test(value)
  if (name === 'apiKey' || name.endsWith('File')) return false
  if (/cookie$/i.test(name)) return value.includes('=') && isSecretField(name)
  if (/authorization$/i.test(name)) return value.includes(' ')
  return isSecretField(name)
}

/** A piece of a configuration file without the values of secret names and the passwords of URLs. */
export function hideSecrets(text: string): string {
  const hidden = text.replaceAll(
    /(?<!\$)[{[]/.test(text) ? FLOW : BLOCK,
    (whole, head: string, double?: string, single?: string, bare?: string, rest = '') => {
      const name = double ?? single ?? bare ?? ''
      const quote = /^["']/.exec(rest)?.[0] ?? ''
      const value =
        quote === '' ? rest.trimEnd() : rest.slice(1, rest.endsWith(quote) && rest !== quote ? -1 : undefined)
      if (!isSecretMember(name, value)) return whole
      return head + quote + '*'.repeat(value.length) + rest.slice(quote.length + value.length)
    },
  )
  return redactUrls(hidden, password => '*'.repeat(password.length))
}
