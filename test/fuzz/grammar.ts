import type { RandomSource } from './random-source.ts'

// Messages made from parts, most of them right and some of them not, and then perhaps damaged. Half or so should pass:
// what is refused at the first byte tests nothing behind it.

const METHODS = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'TRACE',
  'PURGE',
  'M-SEARCH',
]
const ODD_METHODS = ['get', 'FOO', 'G@T', '', 'PRI', 'SOURCE', 'POST\t', 'GE T', 'QUERY']
const TARGETS = ['/', '/a/b?c=d', '/%2e%2e/x', '*', 'http://a.example/x', '//a', '/a?b?c', '/a;b', "/'()!$&"]
const ODD_TARGETS = [
  '',
  'a',
  '/a b',
  '/\x80',
  '/a#b',
  'http://',
  'http:/a',
  '?x',
  '/\x7f',
  '/\t',
  'https://[::1]:1/',
  '*a',
]
const AUTHORITIES = ['a:443', 'a.example:80', '[::1]:443', 'a', 'a:', ':80', 'u@a:1', 'a:b', '/', '1.2.3.4:5']
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0']
const ODD_VERSIONS = [
  'HTTP/0.9',
  'HTTP/2.0',
  'HTTP/1.2',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/11',
  'HTTP/1.10',
  'ICE/1.0',
  '',
  'RTSP/1.0',
]
const STATUSES = [
  '200 OK',
  '200',
  '200 ',
  '204 No Content',
  '304 Not Modified',
  '404 Not Found',
  '100 Continue',
  '103 x',
  '101 Up',
]
const ODD_STATUSES = [
  '99 x',
  '600 x',
  '2000 x',
  '20 x',
  ' 200 x',
  '-20 x',
  '200\tx',
  '200 \x00',
  '200 \xff',
  '999',
]
const NAMES = [
  'Accept',
  'X-A',
  'x_b',
  'Cookie',
  'TE',
  'Trailer',
  'User-Agent',
  '__proto__',
  "!#$%&'*+-.^_`|~",
  'Keep-Alive',
  '0',
]
const ODD_NAMES = ['', ' A', 'A ', 'A\t', 'A\x00', 'A(', 'A"', '\xe4', 'A\x7f', 'A:', '\tA', 'A/', 'A\\']
const VALUES = [
  '',
  'a',
  'a b',
  ' a ',
  '\ta\t',
  'a, b',
  '"q"',
  '\xe4\xff',
  'x'.repeat(40),
  ':',
  'a:b',
  '{}',
  'timeout=5',
]
const ODD_VALUES = [
  'a\x00b',
  'a\nb',
  'a\rb',
  'a\r\n b',
  'a\r\n\tb',
  '\x01',
  'a\x7f',
  '\x0b',
  '\n',
  '\r',
  'a\n',
  '\x1b[0m',
]
const LENGTHS = ['0', '1', '5', '10', '05', ' 5', '5 ', '5\t']
const ODD_LENGTHS = [
  '+5',
  '-5',
  '0x5',
  '5,5',
  '5, 5',
  '',
  '5 5',
  '5.0',
  '1e1',
  '9007199254740993',
  '18446744073709551621',
  '\xb2',
  '5;',
]
const CODINGS = ['chunked', 'Chunked', 'CHUNKED', ' chunked']
const ODD_CODINGS = [
  'identity',
  'gzip, chunked',
  'chunked, chunked',
  'chunked,',
  ',chunked',
  'xchunked',
  'chunked;q=1',
  '"chunked"',
  'chunked ',
  'chunked\t',
  'chunke',
  'chunkedd',
  '\x0bchunked',
  'chun ked',
  '',
]
const CONNECTIONS = [
  'keep-alive',
  'close',
  'Close',
  'upgrade',
  'keep-alive, Upgrade',
  'close, keep-alive',
  'x-a',
  'te, close',
  ' , close',
  'closed',
  'upgrade, close',
]
const UPGRADES = ['websocket', 'h2c', 'foo', 'WebSocket, h2c', 'TLS/1.0']
const EXPECTS = ['100-continue', '100-Continue', '200-ok', '100-continue, 100-continue']
const CHUNK_SIZES = [
  '0',
  '1',
  '5',
  'a',
  'A',
  '05',
  '00005',
  '5;x',
  '5;x=y',
  '5;x="y z"',
  '5;x="\\""',
  '5;a;b=c',
]
const ODD_CHUNK_SIZES = [
  '',
  '5 ',
  ' 5',
  '+5',
  '0x5',
  '5 ;x',
  '5; x',
  '5;x =y',
  '5;x=',
  '5;',
  '5;"x"',
  '5;x="y',
  '5g',
  '-1',
  '5\t',
  '10000000000000005',
  'fffffffffffffffff',
  '5;\x00',
  '5;x\x7f',
  '5;x="\x00"',
  '5,',
  '5;x=y z',
]
const ENDS = ['\n', '\r', '\r\r\n', '\n\r', '', ' \r\n']
const DAMAGE = [
  '\r',
  '\n',
  '\r\n',
  '\x00',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '\x7f',
  '\x80',
  '\xff',
  '0',
  '1',
  'a',
  '\x0b',
  '"',
  '\x1f',
  '\r\n\r\n',
  '=',
  '#',
  '\\',
]

/** How often a part is not what it should be. */
const ODD = 0.025

export class Grammar {
  readonly #random: RandomSource
  readonly #corpus: readonly string[]

  /** @param corpus messages that are damaged in place of new ones, now and then */
  constructor(random: RandomSource, corpus: readonly string[] = []) {
    this.#random = random
    this.#corpus = corpus.filter(bytes => bytes.length < 2000)
  }

  /** One or two messages in a row, as a byte string. */
  message(kind: 'request' | 'response'): string {
    const random = this.#random
    if (this.#corpus.length > 0 && random.chance(0.1)) return this.#damaged(random.pick(this.#corpus))
    let bytes = kind === 'request' && random.chance(0.03) ? '\r\n' : ''
    bytes += kind === 'request' ? this.#request() : this.#response()
    if (random.chance(0.3)) bytes += kind === 'request' ? this.#request() : this.#response()
    return this.#damaged(bytes)
  }

  /** Bytes without sense, of those that have a meaning in HTTP. */
  noise(): string {
    let bytes = this.#random.pick([
      '',
      'GET / HTTP/1.1\r\n',
      'HTTP/1.1 200\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\n',
    ])
    const count = this.#random.below(30)
    for (let i = 0; i < count; i++) bytes += this.#random.pick(DAMAGE)
    return bytes
  }

  #request(): string {
    const method = this.#odd(METHODS, ODD_METHODS)
    const target = method === 'CONNECT' ? this.#random.pick(AUTHORITIES) : this.#odd(TARGETS, ODD_TARGETS)
    const space = this.#random.chance(ODD / 2) ? '  ' : ' '
    const start = `${method}${space}${target}${space}${this.#odd(VERSIONS, ODD_VERSIONS)}${this.#end()}`
    const lines = this.#fields()
    if (!this.#random.chance(ODD)) lines.push(`Host: a${this.#end()}`)
    if (this.#random.chance(ODD)) lines.push(`host: b${this.#end()}`)
    if (this.#random.chance(0.08)) lines.push(`Expect: ${this.#random.pick(EXPECTS)}${this.#end()}`)
    return this.#message(start, lines)
  }

  #response(): string {
    const start = `${this.#odd(VERSIONS, ODD_VERSIONS)} ${this.#odd(STATUSES, ODD_STATUSES)}${this.#end()}`
    return this.#message(start, this.#fields())
  }

  #message(start: string, lines: string[]): string {
    const random = this.#random
    let body = ''
    if (random.chance(0.35)) {
      const length = this.#odd(LENGTHS, ODD_LENGTHS)
      lines.push(`Content-Length${this.#colon()}${length}${this.#end()}`)
      if (random.chance(0.03)) lines.push(`content-length: ${random.pick(LENGTHS)}${this.#end()}`)
      body = filler('x', Number.parseInt(length))
    }
    if (random.chance(body === '' ? 0.4 : 0.05)) {
      lines.push(`Transfer-Encoding${this.#colon()}${this.#odd(CODINGS, ODD_CODINGS)}${this.#end()}`)
      if (random.chance(0.03)) lines.push(`transfer-encoding: ${random.pick(CODINGS)}${this.#end()}`)
      body = this.#chunked()
    }
    if (random.chance(0.2)) lines.push(`Connection${this.#colon()}${random.pick(CONNECTIONS)}${this.#end()}`)
    if (random.chance(0.1)) lines.push(`Upgrade${this.#colon()}${random.pick(UPGRADES)}${this.#end()}`)
    for (let i = lines.length - 1; i > 0; i--) {
      const j = random.below(i + 1)
      const line = lines[i] as string
      lines[i] = lines[j] as string
      lines[j] = line
    }
    return start + lines.join('') + this.#end() + body
  }

  #fields(): string[] {
    const lines: string[] = []
    const count = this.#random.chance(0.01) ? 40 : this.#random.below(5)
    for (let i = 0; i < count; i++) {
      lines.push(
        `${this.#odd(NAMES, ODD_NAMES)}${this.#colon()}${this.#odd(VALUES, ODD_VALUES)}${this.#end()}`,
      )
    }
    return lines
  }

  #chunked(): string {
    let bytes = ''
    const count = this.#random.below(4)
    for (let i = 0; i < count; i++) {
      const size = this.#odd(CHUNK_SIZES, ODD_CHUNK_SIZES)
      const length = Number.parseInt(size, 16)
      bytes += `${size}${this.#end()}${filler('y', length)}${this.#end()}`
      if (length === 0) break
    }
    bytes += `0${this.#end()}`
    if (this.#random.chance(0.15)) bytes += this.#fields().join('')
    return bytes + this.#end()
  }

  #colon(): string {
    return this.#random.chance(0.8) ? ': ' : this.#random.pick([':', ':  ', ':\t', ': \t ', ':\t\t'])
  }

  #end(): string {
    return this.#random.chance(ODD / 5) ? this.#random.pick(ENDS) : '\r\n'
  }

  #odd(usual: readonly string[], odd: readonly string[]): string {
    return this.#random.pick(this.#random.chance(ODD) ? odd : usual)
  }

  /** The same bytes, in four of ten cases with some inserted, removed, replaced, doubled or cut off. */
  #damaged(bytes: string): string {
    let result = bytes
    while (this.#random.chance(0.3) && result.length > 0) {
      const at = this.#random.below(result.length)
      const piece = this.#random.chance(0.8)
        ? this.#random.pick(DAMAGE)
        : String.fromCharCode(this.#random.below(256))
      const kind = this.#random.below(5)
      if (kind === 0) result = result.slice(0, at) + piece + result.slice(at)
      else if (kind === 1) result = result.slice(0, at) + result.slice(at + 1)
      else if (kind === 2) result = result.slice(0, at) + piece + result.slice(at + 1)
      else if (kind === 3) {
        const stop = at + 1 + this.#random.below(20)
        result = result.slice(0, stop) + result.slice(at)
      } else if (this.#random.chance(0.3)) result = result.slice(0, at)
    }
    return result
  }
}

/** A body of this length, or some other where it cannot have it. */
function filler(char: string, length: number): string {
  return char.repeat(length >= 0 && length <= 20 ? length : 3)
}
