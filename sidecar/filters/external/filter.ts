import type { AuthorizationDecision } from '../../exchange/authorization-decision.ts'
import { ContextKey } from '../../exchange/context-key.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { hasHeader, type HeaderList, headerValues, removeHeader, setHeader } from '../../exchange/headers.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import { Timer } from '../../runtime/timer-wheel.ts'
import type {
  AskedPlace,
  AskedUpstream,
  Counter,
  Filter,
  FilterKind,
  FilterParts,
  Verdict,
} from '../filter.ts'
import type { Decision, DecisionClient, Question } from './decision.ts'
import { GrpcDecisions } from './grpc-client.ts'
import { HeldBody } from './held-body.ts'
import { HttpDecisions } from './http-client.ts'
import type { ExternalPolicy } from './schema.ts'

/** A route's policy with what it asks. */
export interface ExternalSettings {
  readonly policy: ExternalPolicy
  readonly upstream: AskedUpstream
}

/**
 * Asks a service of its own whether a request may go on: before it answers, nothing goes upstream, and without an answer
 * in time nothing does at all.
 */
export const externalFilter: FilterKind<ExternalSettings> = {
  name: 'external',
  create: ({ policy, upstream }, route, live) => {
    const none = (): void => {}
    const parts = live.use(['external-parts'], given => given, none)
    const client = live.use(
      ['external', policy.digest, upstream.authority, upstream.basePath],
      () =>
        policy.protocol === 'http'
          ? new HttpDecisions(upstream, policy.path)
          : new GrpcDecisions(upstream, policy.timeout),
      opened => opened.close(),
    )
    return new ExternalFilter({ policy, upstream }, route.name, client, parts)
  },
}

const HELD = new ContextKey<HeldBody>('external body')

/** What a message is and whom it is for is not the service's to say. */
const KEPT: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
])

class ExternalFilter implements Filter {
  readonly name = 'external'
  readonly #policy: ExternalPolicy
  readonly #upstream: AskedUpstream
  readonly #route: string
  readonly #client: DecisionClient
  readonly #parts: FilterParts
  readonly #names: ReadonlySet<string> | null
  readonly #counts: Readonly<Record<Decision['kind'] | 'would_deny', Counter>>

  constructor(
    { policy, upstream }: ExternalSettings,
    route: string,
    client: DecisionClient,
    parts: FilterParts,
  ) {
    this.#policy = policy
    this.#upstream = upstream
    this.#route = route
    this.#client = client
    this.#parts = parts
    this.#names = policy.headers === null ? null : new Set(policy.headers)
    const help = 'Decisions of services that are asked; `failed` is that there was none.'
    const count = (decision: string): Counter =>
      parts.counter('outrigger_external_decisions_total', help, { external: policy.name, decision })
    this.#counts = {
      allow: count('allow'),
      deny: count('deny'),
      failed: count('failed'),
      would_deny: count('would_deny'),
    }
  }

  onRequest(exchange: Exchange): Verdict | Promise<Verdict> {
    // What is only explained asks nobody.
    if (this.#parts.offline === true) return undefined
    // The service says who calls, in these: nobody else does.
    for (const name of this.#policy.upstreamHeaders) removeHeader(exchange.upstreamHeaders, name)
    const { body } = this.#policy
    // What an upgrade sends behind its head is no body.
    if (body === undefined || exchange.body.length === 'none' || exchange.tunnel !== null)
      return this.#decide(exchange, null)
    return this.#hold(exchange, body)
  }

  onDone(exchange: Exchange): void {
    exchange.get(HELD)?.drop()
  }

  /** Reads the body as it goes upstream: a filter before this one may make other bytes of what came. */
  async #hold(exchange: Exchange, most: number): Promise<Verdict> {
    const before = exchange.requestTransform
    const source = before === null ? exchange.body : before(exchange.body)
    const { length } = source
    const { dryRun } = this.#policy
    // Made once: it follows what it has read.
    exchange.requestTransform = () => source
    if (typeof length === 'number' && length > most)
      return dryRun ? this.#decide(exchange, null) : new ProxyError('request_too_large')
    const held = new HeldBody(source, most, this.#parts)
    exchange.set(HELD, held)
    exchange.requestTransform = () => held
    if (exchange.expectsContinue) {
      exchange.responder.inform(100, [])
      exchange.expectsContinue = false
    }
    const error = await held.hold()
    if (error === null) return this.#decide(exchange, held.bytes)
    return dryRun ? this.#decide(exchange, null) : error
  }

  async #decide(exchange: Exchange, body: Buffer | null): Promise<Verdict> {
    return this.#settle(exchange, await this.#ask(exchange, body))
  }

  /** One question, from the wait for a place to the whole answer, within the time that there is. */
  #ask(exchange: Exchange, body: Buffer | null): Promise<Decision> {
    const { promise, resolve } = Promise.withResolvers<Decision>()
    const { fine } = this.#parts
    const { timeout } = this.#policy
    let place: AskedPlace | null = null
    let abort = (): void => {}
    let over = false
    const end = (decision: Decision, error: ProxyError | null): void => {
      if (over) return
      over = true
      fine.remove(timer)
      place?.leave(decision.kind === 'failed' ? decision.status : 200, error)
      resolve(decision)
    }
    const failed = (cause: string, error: ProxyError): void =>
      end({ kind: 'failed', cause, status: 0 }, error)
    const timer = new Timer({
      onTimer: () => {
        abort()
        failed('no answer in time', new ProxyError('upstream_timeout'))
      },
    })
    fine.schedule(timer, timeout)
    const question = this.#question(exchange, body)
    const withdraw = this.#upstream.enter(entered => {
      if (entered instanceof ProxyError)
        return failed(`${entered.reason} ${entered.cause}`.trimEnd(), entered)
      place = entered
      abort = this.#client.ask(entered.target, question, decision =>
        decision.kind === 'failed' && decision.status === 0
          ? end(decision, new ProxyError('upstream_reset', '', { cause: decision.cause }))
          : end(decision, null),
      )
    })
    if (place === null) abort = withdraw
    return promise
  }

  #question(exchange: Exchange, body: Buffer | null): Question {
    const { request, peer } = exchange
    // Filters run behind the choice of a route, which made it.
    if (request === null) throw new Error('a filter ran before the request was read')
    const { length } = exchange.body
    return {
      requestId: exchange.requestId,
      route: this.#route,
      method: request.method,
      scheme: request.scheme,
      authority: request.host + (request.port === 0 ? '' : `:${request.port}`),
      path: request.path,
      query: request.hasQuery ? `?${request.query}` : '',
      protocol: exchange.version,
      headers: joined(exchange.upstreamHeaders, this.#names),
      source: {
        address: exchange.clientAddress || peer.address,
        port: peer.port,
        principal: peer.identity === null ? '' : peer.identity.spiffe || (peer.identity.dns[0] ?? ''),
      },
      body,
      size: body !== null ? body.length : typeof length === 'number' ? length : length === 'none' ? 0 : -1,
    }
  }

  #settle(exchange: Exchange, decision: Decision): Verdict {
    const { dryRun } = this.#policy
    if (decision.kind !== 'allow' && dryRun) {
      this.#counts.would_deny.value++
      this.#note(exchange, 'would_deny', decision.kind)
      this.#warn(exchange, decision, 'a service that is asked would refuse a request')
      return undefined
    }
    this.#counts[decision.kind].value++
    if (decision.kind !== 'allow') this.#note(exchange, 'deny', decision.kind)
    else if (exchange.decision === null) this.#note(exchange, 'allow', '')
    switch (decision.kind) {
      case 'allow':
        for (const name of this.#policy.upstreamHeaders) {
          const values = headerValues(decision.headers, name)
          if (values.length > 0) setHeader(exchange.upstreamHeaders, name, values.join(','))
        }
        for (const name of decision.remove) if (!KEPT.has(name)) removeHeader(exchange.upstreamHeaders, name)
        return undefined
      case 'deny':
        return this.#refuse(exchange, decision)
      case 'failed':
        this.#warn(exchange, decision, 'a service that has to decide did not')
        return new ProxyError(this.#policy.onError === 403 ? 'forbidden' : 'authorization_unavailable', '', {
          cause: `external ${this.#policy.name}: ${decision.cause}`,
        })
    }
  }

  /** For the audit: what the rule before said stands, unless this says something else. */
  #note(exchange: Exchange, decision: AuthorizationDecision['decision'], unmet: string): void {
    exchange.decision = { decision, rule: `external.${this.#policy.name}`, unmet }
  }

  #refuse(exchange: Exchange, decision: Extract<Decision, { readonly kind: 'deny' }>): Verdict {
    const { name, clientHeaders } = this.#policy
    const cause = `external ${name}: status ${decision.status}`
    const headers: HeaderList = []
    for (const field of clientHeaders)
      for (const value of headerValues(decision.headers, field)) headers.push(field, value)
    if (decision.status === 403 && decision.body === '' && headers.length === 0)
      return new ProxyError('forbidden', '', { cause })
    exchange.reason = 'forbidden'
    exchange.cause = cause
    if (decision.body !== '' && !hasHeader(headers, 'content-type'))
      headers.push('content-type', 'text/plain; charset=utf-8')
    return { status: decision.status, headers, body: decision.body }
  }

  #warn(exchange: Exchange, decision: Exclude<Decision, { readonly kind: 'allow' }>, text: string): void {
    this.#parts.warn(text, {
      external: this.#policy.name,
      route: this.#route,
      why: decision.kind === 'deny' ? `status ${decision.status}` : decision.cause,
      consumer: exchange.caller?.name ?? '',
      requestId: exchange.requestId,
    })
  }
}

/** One line a name, as the service's language can hold them; `cookie` with its own separator (RFC 9113 section 8.2.3). */
function joined(headers: HeaderList, names: ReadonlySet<string> | null): [string, string][] {
  const lines = new Map<string, string>()
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string // a name stands at every even index
    if (names !== null && !names.has(name)) continue
    const value = headers[i + 1] as string
    const before = lines.get(name)
    lines.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ','}${value}`)
  }
  return [...lines]
}
