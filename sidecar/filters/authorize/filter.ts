import type { Exchange } from '../../exchange/exchange.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import type { Counter, Filter, FilterKind, FilterLive, FilterParts, Verdict } from '../filter.ts'
import { compileRule, type Rule, type Unmet } from './rule.ts'
import type { AuthorizePolicy } from './schema.ts'

const METRIC = 'outrigger_authorization_decisions_total'
const HELP = 'Decisions of `authorize`. `would_deny` is a rule that only reports.'

/** What one route's rule decided, and where it is said. */
interface Report {
  readonly allowed: Counter
  readonly denied: Counter
  warn(exchange: Exchange, unmet: Unmet): void
}

/** What may be called by whom: a request that the rule does not let pass is refused with 403. */
export const authorizeFilter: FilterKind<AuthorizePolicy> = {
  name: 'authorize',
  create: (policy, route, live) => new AuthorizeFilter(policy, route.name, live),
}

class AuthorizeFilter implements Filter {
  readonly name = 'authorize'
  readonly #rule: Rule
  readonly #dryRun: boolean
  readonly #report: Report

  constructor(policy: AuthorizePolicy, route: string, live: FilterLive) {
    this.#rule = compileRule(policy)
    this.#dryRun = policy.dryRun
    const { rule, dryRun } = policy
    // One route, one pair of counters; `warn` is the process's own.
    this.#report = live.use(
      ['authorize', route, rule, String(dryRun)],
      parts => report(parts, { route, rule, dryRun }),
      () => {},
    )
  }

  onRequest(exchange: Exchange): Verdict {
    const unmet = this.#rule(exchange)
    const report = this.#report
    if (unmet === null) {
      report.allowed.value++
      return undefined
    }
    report.denied.value++
    if (this.#dryRun) {
      report.warn(exchange, unmet)
      return undefined
    }
    // Which condition it was is for the log: whoever is refused need not learn what would do.
    return new ProxyError('forbidden', '', { cause: `authorize: ${unmet}` })
  }
}

function report(
  parts: FilterParts,
  { route, rule, dryRun }: { readonly route: string; readonly rule: string; readonly dryRun: boolean },
): Report {
  const counter = (decision: string): Counter => parts.counter(METRIC, HELP, { route, decision })
  return {
    allowed: counter('allow'),
    denied: counter(dryRun ? 'would_deny' : 'deny'),
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
