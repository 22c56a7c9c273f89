import type { RandomSource } from '../fuzz/random-source.ts'

const SEEDS = [
  '/',
  '*',
  '/admin',
  '/admin/',
  '/admin/users/1',
  '/admin?next=/public',
  '/adminx',
  '/api',
  '/api/orders/1',
  '/api/admin',
  '/api/private/key',
  '/api/../admin',
  '/api..//admin',
  '/users/1',
  '/users/a%20b',
  '/users/..%2fadmin',
  '/public/a.txt',
  '/public/../admin',
  '/public/%2e%2e/admin',
  '/public/..;/admin',
  '/public/%c3%a9/a',
  '/public?x=/../admin',
  '/%61dmin',
  '/%2561dmin',
]

/** What may stand for a slash, as somebody reads it. */
const SLASHES = [
  ...['//', '///', '/./', '/.//', '/x/../', '/../', '/%2e/', '/%2E%2e/', '/.%2e/', '/%2e./', '/x/%2e%2e/'],
  ...['%2f', '%2F', '%252f', '%5c', '%5C', '%255c', '\\', '/\\', '/;/', '/;a=b/', ';/', '/..;/', '/..;a/'],
  ...['%c0%af', '%e0%80%af', '%u002f', '%ef%bc%8f', '\xef\xbc\x8f', '/%20/', '/%00/', '/~/', '/.../'],
]

/** What hides, ends or breaks a path in one reading or the other. */
const ODD = [
  ...[
    '..',
    '.',
    '%2e',
    '%2e%2e',
    '%252e',
    '%25%32%65',
    '%c0%ae',
    '%00',
    '%0a',
    '%0d%0a',
    '%09',
    '%7f',
    '%20',
  ],
  ...[
    ';',
    ';x=/../',
    '%3b',
    '%3f',
    '?',
    '??',
    '%23',
    '#',
    '#/../admin',
    '%',
    '%2',
    '%zz',
    '%25',
    '%2525',
    '+',
  ],
  ...['\0', '\x7f', '\x80', '\xff', '\xc3\xa9', '\xc0\xae', '%ff', '%c3', '%c3%28', '%ed%a0%80', '%u0061'],
  ...[
    ' ',
    '\t',
    '"',
    '<',
    '|',
    '{id}',
    '[',
    '^',
    '`',
    '@',
    ':',
    '&',
    '=',
    '*',
    '$',
    "'",
    '%5B',
    '%7e',
    '%2D',
  ],
]

const PREFIXES = ['/public/..', '/public/../', '/.', '/..', '/', '//', '/api/..', '/x/y/../..', '/%2e', '']
const AUTHORITIES = ['a.example', 'a.example:80', 'A.EXAMPLE', 'b.example', 'u@a.example', 'a.example.', '']
const SCHEMES = ['http', 'HTTP', 'https', 'ftp']

/** Makes targets from seeds by one to three steps that are known to fool one reader or another. */
export class Targets {
  readonly #random: RandomSource

  constructor(random: RandomSource) {
    this.#random = random
  }

  next(): string {
    let target = this.#random.pick(SEEDS)
    for (let steps = 1 + this.#random.below(3); steps > 0; steps--) target = this.#mutate(target)
    return target.slice(0, 2000)
  }

  #mutate(target: string): string {
    const random = this.#random
    const at = random.below(target.length + 1)
    switch (random.below(9)) {
      case 0:
      case 1: {
        // Another word for one of the slashes.
        const slashes = [...target.matchAll(/\//g)].map(match => match.index)
        if (slashes.length === 0) return target
        const place = random.pick(slashes)
        return target.slice(0, place) + random.pick(SLASHES) + target.slice(place + 1)
      }
      case 2:
        return target.slice(0, at) + random.pick(ODD) + target.slice(at)
      case 3:
        return target.slice(0, at) + escaped(target.slice(at, at + 1), random) + target.slice(at + 1)
      case 4:
        return target.slice(0, at) + swapped(target.slice(at, at + 1)) + target.slice(at + 1)
      case 5:
        return random.pick(PREFIXES) + target
      case 6:
        return target + random.pick(SLASHES) + random.pick(SEEDS).slice(1)
      case 7:
        return random.chance(0.25)
          ? `${random.pick(SCHEMES)}://${random.pick(AUTHORITIES)}${target}`
          : target + random.pick(SLASHES)
      default:
        return target.slice(0, at) + target.slice(at + 1)
    }
  }
}

function escaped(character: string, random: RandomSource): string {
  if (character === '') return ''
  const hex = character.charCodeAt(0).toString(16).padStart(2, '0')
  return random.pick([`%${hex}`, `%${hex.toUpperCase()}`, `%25${hex}`])
}

/** Letters of ASCII only: `\xff` in upper case is no byte any more. */
function swapped(character: string): string {
  if (!/^[a-z]$/i.test(character)) return character
  const upper = character.toUpperCase()
  return upper === character ? character.toLowerCase() : upper
}
