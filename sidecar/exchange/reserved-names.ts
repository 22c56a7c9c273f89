/** Reserved names: what an upstream may take for the word of a proxy. */
export const RESERVED: readonly string[] = Object.freeze([
  'cf-connecting-ip',
  // RFC 9440 section 4: whoever ends TLS takes them away.
  'client-cert',
  'client-cert-chain',
  'client-ip',
  'fastly-client-ip',
  'forwarded',
  'remote-user',
  'true-client-ip',
  'x-anonymous-consumer',
  'x-arr-clientcert',
  'x-azure-clientip',
  'x-cluster-client-ip',
  'x-host',
  'x-http-host-override',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-host',
  'x-original-uri',
  'x-original-url',
  'x-real-ip',
  'x-request-attempt',
  'x-request-mirrored',
  'x-remote-user',
  'x-rewrite-url',
])

/** Everything that begins with one of these is reserved as well. */
export const RESERVED_PREFIXES: readonly string[] = Object.freeze([
  'ssl-client-',
  'x-amzn-mtls-',
  'x-auth-request-',
  'x-authenticated-',
  'x-client-',
  'x-consumer-',
  'x-credential-',
  'x-envoy-',
  'x-forwarded-',
  'x-spiffe-',
  'x-ssl-',
  'x-tls-client-',
  'x-user-',
])

const NAMES: ReadonlySet<string> = new Set(RESERVED)
const PREFIX = new RegExp(`^(?:${RESERVED_PREFIXES.join('|')})`)

/** Whether a name, in lower case, is reserved. */
export function isReserved(name: string): boolean {
  return NAMES.has(name) || PREFIX.test(name)
}
