import type { RandomSource } from './random-source.ts'
import {
  METHODS,
  ODD_METHODS,
  TARGETS,
  ODD_TARGETS,
  AUTHORITIES,
  VERSIONS,
  ODD_VERSIONS,
  STATUSES,
  ODD_STATUSES,
  NAMES,
  ODD_NAMES,
  VALUES,
  ODD_VALUES,
  LENGTHS,
  ODD_LENGTHS,
  CODINGS,
  ODD_CODINGS,
  CONNECTIONS,
  UPGRADES,
  EXPECTS,
  CHUNK_SIZES,
  ODD_CHUNK_SIZES,
  ENDS,
  DAMAGE,
} from './vocabulary.ts'

// Messages made from parts, most of them right and some of them not, and then perhaps damaged. Half or so should pass:
// what is refused at the first byte tests nothing behind it.

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
