/** What authorization said about a request. Shared by all requests that it says the same about. */
export interface AuthorizationDecision {
  /** `would_deny`: it went on, since the rule only reports. */
  readonly decision: 'allow' | 'deny' | 'would_deny'
  /** Where the rule is said, such as `listener.api + route.orders`, or the service that was asked. */
  readonly rule: string
  /** The condition that was not met; empty where all were. */
  readonly unmet: string
}
