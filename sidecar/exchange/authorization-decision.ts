/** What authorization said about a request, or why it never got that far. Shared by all requests that it says the same about. */
export interface AuthorizationDecision {
  /** `would_deny`: it went on, since the rule only reports. */
  readonly decision: 'allow' | 'deny' | 'would_deny'
  /** Absent: `authorization`. */
  readonly event?: 'authentication'
  /** Where the rule is said, such as `listener.api + route.orders`, or the service that was asked; `authenticate` where nobody was known. */
  readonly rule: string
  /** The condition that was not met, or the reason of the refusal; empty where all were. */
  readonly unmet: string
}
