import type { Exchange } from '../../exchange/exchange.ts'
import {
  type HeaderList,
  hasHeader,
  headerValue,
  headerValues,
  listMembers,
  removeHeader,
  setHeader,
} from '../../exchange/headers.ts'
import { compileOrigins } from '../../exchange/origins.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import type { Filter, FilterKind, Verdict } from '../filter.ts'
import type { CorsPolicy } from './schema.ts'

/**
 * Cross-origin requests of browsers (Fetch standard, section 3.2). Preflights are answered here and go no further;
 * every other response to an origin that is allowed gets the fields that let its script read it, our own errors too.
 *
 * What an upstream says about CORS by itself is replaced: two answers would be refused by the browser.
 */
export const corsFilter: FilterKind<CorsPolicy> = {
  name: 'cors',
  create: policy => new CorsFilter(policy),
}

class CorsFilter implements Filter {
  readonly name = 'cors'
  readonly #policy: CorsPolicy
  readonly #allows: (origin: string) => boolean
  /** Whether the same answer goes to every origin. */
  readonly #everyone: boolean
  readonly #methods: string | null
  readonly #headers: ReadonlySet<string> | null
  readonly #headerList: string
  readonly #expose: string

  constructor(policy: CorsPolicy) {
    if (policy.credentials && policy.origins.includes('*'))
      throw new Error('credentials cannot go to every origin')
    this.#policy = policy
    this.#allows = compileOrigins(policy.origins)
    this.#everyone = policy.origins.includes('*')
    this.#methods = policy.methods.includes('*') ? null : policy.methods.join(', ')
    this.#headers = policy.headers.includes('*')
      ? null
      : new Set(policy.headers.map(name => name.toLowerCase()))
    this.#headerList = policy.headers.join(', ')
    this.#expose = policy.expose.join(', ')
  }

  onRequest(exchange: Exchange): Verdict {
    if (!isPreflight(exchange)) return undefined
    const method = headerValue(exchange.headers, 'access-control-request-method') ?? ''
    const origin = headerValue(exchange.headers, 'origin') ?? ''
    if (!this.#allows(origin)) return refused('The origin is not allowed.')
    const methods = this.#methods
    if (methods !== null && !SAFELISTED.has(method) && !this.#policy.methods.includes(method))
      return refused('The method is not allowed from another origin.')
    const asked = listMembers(exchange.headers, 'access-control-request-headers')
    if (this.#headers !== null)
      for (const name of asked)
        if (!this.#headers.has(name.toLowerCase()))
          return refused('A header is not allowed from another origin.')
    // `onResponse` follows for this answer as well and says who may read it.
    const headers: HeaderList = ['access-control-allow-methods', methods ?? method]
    const allowed = this.#headers === null ? asked.join(', ') : this.#headerList
    if (allowed !== '') headers.push('access-control-allow-headers', allowed)
    headers.push('access-control-max-age', String(this.#policy.maxAge))
    return { status: 204, headers, body: '' }
  }

  onResponse(exchange: Exchange, headers: HeaderList): void {
    const preflight = isPreflight(exchange)
    const origin = headerValue(exchange.headers, 'origin')
    removeHeader(headers, 'access-control-allow-origin')
    removeHeader(headers, 'access-control-allow-credentials')
    removeHeader(headers, 'access-control-expose-headers')
    if (!this.#everyone || preflight) addVary(headers, preflight ? PREFLIGHT_VARY : ORIGIN_VARY)
    if (origin === undefined || !this.#allows(origin)) return
    setHeader(headers, 'access-control-allow-origin', this.#everyone ? '*' : origin)
    if (this.#policy.credentials) setHeader(headers, 'access-control-allow-credentials', 'true')
    if (this.#expose !== '' && !preflight) setHeader(headers, 'access-control-expose-headers', this.#expose)
  }
}

function isPreflight({ method, headers }: Exchange): boolean {
  return (
    method === 'OPTIONS' &&
    hasHeader(headers, 'origin') &&
    hasHeader(headers, 'access-control-request-method')
  )
}

/** Methods that need no permission (Fetch, section 2.2.1). */
const SAFELISTED: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST'])
const ORIGIN_VARY = ['Origin']
const PREFLIGHT_VARY = ['Origin', 'Access-Control-Request-Method', 'Access-Control-Request-Headers']

function refused(detail: string): ProxyError {
  return new ProxyError('cors_refused', detail)
}

/** Adds members to Vary where they are not there yet; `*` says it all. */
function addVary(headers: HeaderList, names: readonly string[]): void {
  const there = listMembers(headers, 'vary').map(member => member.toLowerCase())
  if (there.includes('*')) return
  const missing = names.filter(name => !there.includes(name.toLowerCase()))
  if (missing.length === 0) return
  const before = headerValues(headers, 'vary').join(', ')
  setHeader(headers, 'vary', (before === '' ? '' : `${before}, `) + missing.join(', '))
}
