import { createHash, hkdfSync } from 'node:crypto'
import type tls from 'node:tls'
import type { ListenerTls, ServerCertificate, TlsListener } from '../snapshot/listener-tls.ts'
import { listenerFor } from '../snapshot/snapshot.ts'
import { nodeTls } from '../runtime/node-modules.ts'

/** ECDHE with AEAD only (docs/tls.md): forward secrecy, and nothing that can be padded wrongly. */
export const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/**
 * The certificates of an address, by SNI. A context costs half a millisecond to make, so each is made when it is first
 * asked for: a renewed certificate among a hundred costs one.
 */
export class TlsContexts {
  readonly #listeners: readonly TlsListener[]
  readonly #made = new Map<ServerCertificate, tls.SecureContext>()

  constructor(listeners: readonly TlsListener[]) {
    this.#listeners = listeners
  }

  /** The context for a name that a client asks for; of the first certificate where none has it. Null: no certificate. */
  contextFor(serverName: string): tls.SecureContext | null {
    const spec = tlsListenerFor(this.#listeners, serverName)?.tls ?? null
    const certificate = spec === null ? null : certificateFor(spec, serverName)
    if (spec === null || certificate === null) return null
    let context = this.#made.get(certificate)
    if (context === undefined) {
      context = nodeTls().createSecureContext({
        cert: certificate.cert,
        key: certificate.key,
        minVersion: spec.minVersion,
        ciphers: CIPHERS,
        ...(spec.clients === null ? {} : { ca: spec.clients.ca }),
      })
      this.#made.set(certificate, context)
    }
    return context
  }
}

/** The certificate for a name: an exact one, then a wildcard, then the first. */
export function certificateFor(spec: ListenerTls, serverName: string): ServerCertificate | null {
  const first = spec.certificates[0] ?? null
  if (serverName === '' || spec.certificates.length < 2) return first
  // RFC 9525 section 6.3: a wildcard is the whole left-most label.
  const wildcard = `*${serverName.slice(serverName.indexOf('.'))}`
  let covered: ServerCertificate | null = null
  for (const certificate of spec.certificates) {
    if (certificate.names.includes(serverName)) return certificate
    if (covered === null && certificate.names.includes(wildcard)) covered = certificate
  }
  return covered ?? first
}

/** Whose handshake it is: the listener that serves the name, else the first. */
export function tlsListenerFor<L extends TlsListener>(
  listeners: readonly L[],
  serverName: string,
): L | undefined {
  return listenerFor({ listeners }, serverName) ?? listeners[0]
}

/** The authorities that the listeners of an address ask of their clients, one text each. */
function authorities(listeners: readonly TlsListener[]): ReadonlySet<string> {
  return new Set(listeners.map(listener => listener.tls?.clients?.ca ?? ''))
}

/**
 * Keys for session tickets: of this process, and others for other authorities, so that a ticket that was given while an
 * authority was trusted is worth nothing when it no longer is. A renewed server certificate changes none of them.
 * Null where listeners that share the address ask different authorities: a ticket of one would open the other.
 */
export function ticketKeys(listeners: readonly TlsListener[], secret: Buffer): Buffer | null {
  const asked = authorities(listeners)
  if (asked.size > 1) return null
  const digest = createHash('sha256')
    .update([...asked].join())
    .digest()
  return Buffer.from(hkdfSync('sha256', secret, digest, 'outrigger session tickets', 48))
}
