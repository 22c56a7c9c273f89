import type { X509Certificate } from 'node:crypto'

/**
 * Who proved to be at the other end of a connection by a certificate that its authority signed. Names are exact: a
 * SPIFFE ID is one URI, a DNS name has no wildcard meaning, and the subject's common name is never a name (RFC 9525).
 */
export interface PeerIdentity {
  /** The one SPIFFE ID (`spiffe://...`), or empty. */
  readonly spiffe: string
  /** DNS names, lower case. */
  readonly dns: readonly string[]
  /** As one line, for logs. */
  readonly subject: string
  /** SHA-256 of the certificate in lower-case hex. */
  readonly fingerprint: string
  /** When the certificate ends, in milliseconds of wall-clock time. */
  readonly notAfter: number
}

/** SPIFFE-ID standard, section 2: a trust domain in lower case, and path segments that are not `.` or `..`. */
export const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/

/**
 * Reads the names of a verified certificate.
 * @returns null where it says two SPIFFE IDs, or something that cannot be read in one way only
 */
export function identityOf(certificate: X509Certificate): PeerIdentity | null {
  const names = alternativeNames(certificate.subjectAltName ?? '')
  if (names === null) return null
  const spiffe = names.filter(([kind, value]) => kind === 'URI' && /^spiffe:/i.test(value))
  // The SPIFFE X.509-SVID standard, section 2: exactly one URI, or none where it is no workload's certificate.
  if (spiffe.length > 1) return null
  const id = spiffe[0]?.[1] ?? ''
  if (id !== '' && !SPIFFE_ID.test(id)) return null
  return {
    spiffe: id,
    dns: names.filter(([kind]) => kind === 'DNS').map(([, value]) => value.toLowerCase()),
    subject: certificate.subject.replaceAll('\n', ','),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfter: certificate.validToDate.getTime(),
  }
}

/** Whether an identity has one of the names of a list: SPIFFE IDs as they are, DNS names in lower case. */
export function isOneOf(identity: PeerIdentity, names: ReadonlySet<string>): boolean {
  return (identity.spiffe !== '' && names.has(identity.spiffe)) || identity.dns.some(name => names.has(name))
}

/**
 * The names as Node prints them: `DNS:a.example, URI:spiffe://x/y`, where a value that could be mistaken for two is a
 * JSON string. Null where the text is something else.
 */
export function alternativeNames(text: string): [kind: string, value: string][] | null {
  const names: [string, string][] = []
  const one = /(DNS|URI|IP Address|email|DirName|Registered ID|othername):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y
  while (one.lastIndex < text.length) {
    const found = one.exec(text)
    if (found === null) return null
    const value = found[2] as string // the group takes part in every match
    names.push([found[1] as string, value.startsWith('"') ? String(JSON.parse(value)) : value])
  }
  return names
}
