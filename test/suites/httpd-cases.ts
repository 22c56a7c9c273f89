// Reads the table of requests in Apache's t/apache/http_strict.t: a Perl list of `[ "bytes" => unsafe, strict ]`.

/** One case of the table. */
export interface HttpdCase {
  /** The request; of a case about responses the field line that the upstream is to send. */
  readonly bytes: Buffer
  readonly about: 'request' | 'response'
  /** What a strict httpd does. `either`: a matter of its own configuration. */
  readonly expected: 'serve' | 'refuse' | 'either'
}

const STRING = /"((?:[^"\\]|\\.)*)"/g

/** All cases of the file, with what its strict virtual host is expected to do. */
export function readHttpdCases(perl: string): readonly HttpdCase[] {
  const [, table = ''] = /my @test_cases = \(\n([\s\S]*?)\n\);/.exec(perl) ?? []
  const code = table.replace(/^\s*#.*$/gm, '')
  const cases: HttpdCase[] = []
  for (const [, left = '', right = ''] of code.matchAll(/\[\s*((?:"(?:[^"\\]|\\.)*"|[.\s])+)=>([^\]]*)\]/g)) {
    const text = [...left.matchAll(STRING)].map(([, quoted = '']) => unescape(quoted)).join('')
    const [unsafe = '', strict = 'undef', condition] = right.split(',').map(part => part.trim())
    const code = strict === 'undef' || strict === '' ? unsafe : strict
    const response = text.startsWith('R')
    cases.push({
      bytes: Buffer.from(response ? text.slice(1) : text, 'latin1'),
      about: response ? 'response' : 'request',
      expected: condition?.startsWith('have_module') ? 'either' : expectation(code),
    })
  }
  return cases
}

/** `undef` is a connection dropped without a word, 0 any error, 1 any success, the rest a status. */
function expectation(code: string): HttpdCase['expected'] {
  if (code === 'undef' || code === '0') return 'refuse'
  const status = Number(code)
  return status === 1 || (status >= 200 && status < 400) ? 'serve' : 'refuse'
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', f: '\f', '0': '\0' }

/** A Perl string in double quotes, as far as the table uses them. */
function unescape(quoted: string): string {
  return quoted.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/gs, (_, hex: string | undefined, other: string) =>
    hex === undefined ? (ESCAPES[other] ?? other) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
