import type { AuthorizationDecision } from '../../exchange/authorization-decision.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import type { Counter, Filter, FilterKind, FilterLive, FilterParts, Verdict } from '../filter.ts'
import { compileRule, type Rule, type Unmet } from './rule.ts'
import type { AuthorizePolicy } from './schema.ts'

const METRIC = 'outrigger_authorization_decisions_total'
const HELP = 'Decisions of `authorize`; `would_deny` is what a rule that only reports would refuse.'

/** Where the decisions of one route's rule are said. */
interface Report {
  readonly allowed: Counter
  readonly denied: Counter
  readonly wouldDeny: Counter
  warn(exchange: Exchange, unmet: Unmet): void
}

/** What may be called by whom: a request that does not meet the rule is refused with 403. */
export const authorizeFilter: FilterKind<AuthorizePolicy> = {
  name: 'authorize',
  create: (policy, route, live) => new AuthorizeFilter(policy, route.name, live),
}

class AuthorizeFilter implements Filter {
  readonly name = 'authorize'
  readonly #enforced: Rule | null
  readonly #reported: Rule | null
  readonly #report: Report
  readonly #said: string
  readonly #allowed: AuthorizationDecision

  constructor({ enforced, reported, rule }: AuthorizePolicy, route: string, live: FilterLive) {
    this.#said = rule
    this.#allowed = Object.freeze({ decision: 'allow', rule, unmet: '' })
    this.#enforced = enforced === null ? null : compileRule(enforced)
    this.#reported = reported === null ? null : compileRule(reported)
    this.#report = live.use(
      ['authorize', route, rule],
      parts => openReport(parts, route, rule),
      () => {},
    )
  }

  onRequest(exchange: Exchange): Verdict {
    const report = this.#report
    const unmet = this.#enforced === null ? null : this.#enforced(exchange)
    if (unmet !== null) {
      report.denied.value++
      exchange.decision = { decision: 'deny', rule: this.#said, unmet }
      // Which condition it was is for the log: whoever is refused need not learn what would do.
      return new ProxyError('forbidden', '', { cause: `authorize: ${unmet}` })
    }
    const reported = this.#reported === null ? null : this.#reported(exchange)
    if (reported === null) {
      report.allowed.value++
      exchange.decision = this.#allowed
      return undefined
    }
    report.wouldDeny.value++
    exchange.decision = { decision: 'would_deny', rule: this.#said, unmet: reported }
    report.warn(exchange, reported)
    return undefined
  }
}

function openReport(parts: FilterParts, route: string, rule: string): Report {
  const counter = (decision: string): Counter => parts.counter(METRIC, HELP, { route, decision })
  return {
    allowed: counter('allow'),
    denied: counter('deny'),
    wouldDeny: counter('would_deny'),
    warn: (exchange, unmet) =>
      parts.warn('authorize would refuse a request', {
        route,
        rule,
        unmet,
        consumer: exchange.caller?.name ?? '',
        peer: exchange.peer.identity?.spiffe ?? '',
        requestId: exchange.requestId,
      }),
  }
}
