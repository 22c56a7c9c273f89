import type { RandomSource } from '../fuzz/random-source.ts'

/** A request, as bytes, for one of the listeners of `explain-wire.test.ts`. */
export interface Case {
  readonly listener: string
  readonly head: string
  readonly body: string
}

const METHODS = ['GET', 'GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'OPTIONS']
const ODD_METHODS = ['DELETE', 'TRACE', 'BREW', 'get', 'G(T']
const PATHS = [
  '/api',
  '/api/x',
  '/api/',
  '/users/7',
  '/users/me',
  '/users/7/x',
  '/v1/x',
  '/v2/a/b',
  '/cors',
  '/split',
  '/split/x',
]
const HOSTS = ['a', 'shop.example', 'shop.example', 'WWW.Shop.Example', 'x.y.shop.example.', 'users', 'app']
const ODD_HOSTS = ['shop.example:8443', 'shop.example:80', 'users:8080', '[::1]', 'a..b', 'a b', 'u@a', '']
const SEGMENTS = ['api', 'users', 'me', 'v1', 'v2', 'cors', '7', 'x', 'a.b', 'API', '%7Euser', 'caf%C3%A9']
const ODD_SEGMENTS = [
  '',
  '.',
  '..',
  '%2e%2E',
  '%2F',
  '%61pi',
  '%',
  '%00',
  '%25%32',
  ';x',
  'a\\b',
  '[x]',
  '%ff',
]
const QUERIES = ['', '', '', '?page=2', '?page=1&page=2', '?', '?x=%2', '?a=b?c', '?a#b']
const FIELDS = [
  'x-beta: 1',
  'X-Beta: 12',
  'x-beta: 2',
  'x_beta: 1',
  'connection: x-beta, close',
  'x-forwarded-for: 203.0.113.7',
  'x-forwarded-proto: https',
  'x-request-id: mine',
  'x-user-id: root',
  'via: 1.1 outrigger',
  `via: ${Array.from({ length: 10 }, () => '1.1 outrigger').join(', ')}`,
  'connection: upgrade\r\nupgrade: websocket',
  'connection: upgrade\r\nupgrade: h2c',
  'upgrade: websocket',
  'te: trailers',
  'authorization: a\r\nauthorization: b',
  'expect: 200-ok',
  'content-length: 1, 1',
  'bad name: x',
  'host: b',
  'x-folded: a\r\n b',
  'x-bytes: caf\xc3\xa9',
]
const SPLIT_FIELDS = [
  'x-tenant: a',
  'x-tenant: b',
  'x-tenant: ',
  'x-tenant: a\r\nx-tenant: b',
  'cookie: side=spare',
  'cookie: a=b; side=users',
  'cookie: side=nobody',
]
const BROWSER_FIELDS = [
  'origin: https://a.example',
  'origin: https://b.example\r\naccess-control-request-method: GET',
  'origin: https://a.example\r\naccess-control-request-method: PUT',
]

/** A random request: mostly of what the routes there ask for, sometimes of what no server should take. */
export function makeCase(random: RandomSource): Case {
  const method = random.pick(random.chance(0.08) ? ODD_METHODS : METHODS)
  let target = random.chance(0.6) ? random.pick(PATHS) : ''
  for (let i = target === '' ? random.below(4) : -1; i >= 0; i--)
    target += `/${random.pick(random.chance(0.08) ? ODD_SEGMENTS : SEGMENTS)}`
  if (random.chance(0.1)) target += '/'
  target += random.pick(QUERIES)
  const host = random.pick(random.chance(0.15) ? ODD_HOSTS : HOSTS)
  if (random.chance(0.05)) target = `http://${random.chance(0.7) ? host : 'a'}${target}`
  else if (random.chance(0.02)) target = '*'
  const version = random.chance(0.05) ? 'HTTP/1.0' : 'HTTP/1.1'
  let fields = random.chance(0.03) ? '' : `Host: ${host}\r\n`
  while (random.chance(0.3)) fields += `${random.pick(FIELDS)}\r\n`
  if (target.startsWith('/split') && random.chance(0.7)) fields += `${random.pick(SPLIT_FIELDS)}\r\n`
  if (target.startsWith('/cors')) fields += `${random.pick(BROWSER_FIELDS)}\r\n`
  let body = ''
  if (random.chance(0.15)) {
    body = 'x'.repeat(random.pick([0, 3, 1024, 1025, 1025]))
    fields += `content-length: ${body.length}\r\n`
  } else if (random.chance(0.05)) {
    body = '3\r\nabc\r\n0\r\n\r\n'
    fields += 'transfer-encoding: chunked\r\n'
  }
  const listener = random.pick(['in', 'in', 'in', 'edge', 'out'])
  return { listener, head: `${method} ${target} ${version}\r\n${fields}\r\n`, body }
}
