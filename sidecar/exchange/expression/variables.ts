import type { Environment } from '@marcbachmann/cel-js'
import { NO_CLAIMS } from '../caller.ts'
import type { Exchange } from '../exchange.ts'
import { fromWire, type HeaderList } from '../headers.ts'
import { decodeQuery } from '../query.ts'

/*
 * What expressions see of a request. Fields are read when they are asked for, so that an expression costs what it looks
 * at. What a request does not have is undefined: the expression then fails, and what fails is false.
 */

/** Who calls; nobody is in no group and has no name. */
class ConsumerVariable {
  readonly #caller: Exchange['caller']
  constructor(caller: Exchange['caller']) {
    this.#caller = caller
  }
  get name(): string | undefined {
    return this.#caller?.name
  }
  get groups(): readonly string[] {
    return this.#caller?.groups ?? []
  }
  get plan(): string | undefined {
    return this.#caller?.plan ?? undefined
  }
}

/** How that was proved. */
class AuthVariable {
  readonly #caller: Exchange['caller']
  constructor(caller: Exchange['caller']) {
    this.#caller = caller
  }
  get method(): string | undefined {
    return this.#caller?.method
  }
  get provider(): string | undefined {
    return this.#caller?.provider
  }
  get scopes(): readonly string[] {
    return this.#caller?.scopes ?? []
  }
}

/** The other end of the connection. */
class PeerVariable {
  readonly #exchange: Exchange
  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }
  get address(): string | undefined {
    return this.#exchange.peer.address || undefined
  }
  get spiffe(): string | undefined {
    return this.#exchange.peer.identity?.spiffe || undefined
  }
  get dns(): readonly string[] {
    return this.#exchange.peer.identity?.dns ?? []
  }
}

/** The request in its canonical form, with the headers that go upstream: what a client may not say is not there. */
class RequestVariable {
  readonly #exchange: Exchange
  // Read once an evaluation: a macro may ask for them at each step.
  #query: ReadonlyMap<string, string> | null = null
  #headers: ReadonlyMap<string, string> | null = null
  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }
  get method(): string {
    return this.#exchange.method
  }
  get scheme(): string | undefined {
    return this.#exchange.request?.scheme
  }
  get host(): string | undefined {
    return this.#exchange.request?.host || undefined
  }
  get path(): string | undefined {
    return this.#exchange.request?.path
  }
  get uri(): string | undefined {
    const { request } = this.#exchange
    if (request === null) return undefined
    return request.hasQuery ? `${request.path}?${request.query}` : request.path
  }
  get params(): Table<string> {
    return table(this.#exchange.params ?? NOTHING)
  }
  get query(): ReadonlyMap<string, string> {
    return (this.#query ??= queryMap(this.#exchange.request?.query ?? ''))
  }
  get headers(): ReadonlyMap<string, string> {
    return (this.#headers ??= headerMap(this.#exchange.upstreamHeaders))
  }
  /** Bytes of the body; nothing where that is not known before its end. */
  get size(): bigint | undefined {
    const { length } = this.#exchange.body
    if (length === 'unknown') return undefined
    return length === 'none' ? 0n : BigInt(length)
  }
}

class RouteVariable {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

type Table<V> = Readonly<Record<string, V>> | ReadonlyMap<string, V>

/** The library takes what stands under `constructor` for what an object is: with one, nothing could be read of it. */
function table<V>(named: Readonly<Record<string, V>>): Table<V> {
  return Object.hasOwn(named, 'constructor') ? new Map(Object.entries(named)) : named
}

const NOTHING: Readonly<Record<string, string>> = Object.freeze(Object.create(null) as Record<string, string>)

/** What is known of a caller, whatever is asked for. */
export class CallerVariables {
  readonly #caller: Exchange['caller']
  constructor(caller: Exchange['caller']) {
    this.#caller = caller
  }
  get consumer(): ConsumerVariable {
    return new ConsumerVariable(this.#caller)
  }
  get claims(): Table<unknown> {
    return table(this.#caller?.claims ?? NO_CLAIMS)
  }
  get auth(): AuthVariable {
    return new AuthVariable(this.#caller)
  }
}

/** The variables of one request. */
export class Variables extends CallerVariables {
  readonly #exchange: Exchange
  #request: RequestVariable | null = null
  constructor(exchange: Exchange) {
    super(exchange.caller)
    this.#exchange = exchange
  }
  get peer(): PeerVariable {
    return new PeerVariable(this.#exchange)
  }
  get request(): RequestVariable {
    return (this.#request ??= new RequestVariable(this.#exchange))
  }
  get route(): RouteVariable {
    return new RouteVariable(this.#exchange.route)
  }
}

const TEXTS = 'list<string>'
const TABLE = 'map<string, string>'

/** Declares the variables of a caller. */
export function declareCallerVariables(environment: Environment): Environment {
  return environment
    .registerType('Consumer', {
      ctor: ConsumerVariable,
      fields: { name: 'string', groups: TEXTS, plan: 'string' },
    })
    .registerType('Auth', {
      ctor: AuthVariable,
      fields: { method: 'string', provider: 'string', scopes: TEXTS },
    })
    .registerVariable('consumer', 'Consumer')
    .registerVariable('claims', 'map<string, dyn>')
    .registerVariable('auth', 'Auth')
}

/** Declares all variables with their types, so that a name that is not there is an error when a configuration loads. */
export function declareVariables(environment: Environment): Environment {
  return declareCallerVariables(environment)
    .registerType('Peer', { ctor: PeerVariable, fields: { address: 'string', spiffe: 'string', dns: TEXTS } })
    .registerType('Request', {
      ctor: RequestVariable,
      fields: {
        ...{ method: 'string', scheme: 'string', host: 'string', path: 'string', uri: 'string' },
        ...{ params: TABLE, query: TABLE, headers: TABLE, size: 'int' },
      },
    })
    .registerType('Route', { ctor: RouteVariable, fields: { name: 'string' } })
    .registerVariable('peer', 'Peer')
    .registerVariable('request', 'Request')
    .registerVariable('route', 'Route')
}

/** Several lines of a field are one value (RFC 9110 section 5.3), so that none of them can be overlooked. */
function headerMap(headers: HeaderList): Map<string, string> {
  const map = new Map<string, string>()
  for (let i = 0; i + 1 < headers.length; i += 2) {
    // Names and values in turn.
    const [name, value] = [headers[i] as string, fromWire(headers[i + 1] as string)]
    join(map, name, value, name === 'cookie' ? '; ' : ', ')
  }
  return map
}

/** As headers: a parameter that stands twice is one value, which no comparison with one of the two meets. */
function queryMap(query: string): Map<string, string> {
  const map = new Map<string, string>()
  for (const parameter of query.split('&')) {
    if (parameter === '') continue
    const equals = parameter.indexOf('=')
    const end = equals === -1 ? parameter.length : equals
    join(map, decodeQuery(parameter.slice(0, end)), decodeQuery(parameter.slice(end + 1)), ', ')
  }
  return map
}

function join(map: Map<string, string>, name: string, value: string, separator: string): void {
  const before = map.get(name)
  map.set(name, before === undefined ? value : `${before}${separator}${value}`)
}
