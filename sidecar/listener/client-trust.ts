import { X509Certificate } from 'node:crypto'
import type tls from 'node:tls'
import type { TlsListener } from '../snapshot/listener-tls.ts'
import { tlsListenerFor } from './tls-contexts.ts'

/** How many authorities may stand between a certificate and one that is trusted. */
const DEPTH = 8
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Whom an address trusts under one configuration of it, for connections that opened TLS under another: a handshake is
 * verified by OpenSSL, and nobody else is asked about the connection afterwards.
 */
export class ClientTrust {
  readonly #listeners: readonly TlsListener[]
  readonly #wallClock: () => number
  /** By the text of a file. */
  readonly #authorities = new Map<string, readonly X509Certificate[]>()
  /** By who asks and what was shown: many connections show the same. */
  readonly #known = new Map<string, boolean>()

  constructor(listeners: readonly TlsListener[], wallClock: () => number = Date.now) {
    // Copies: an address must not hold the routes of a configuration that is gone.
    this.#listeners = listeners.map(({ hosts, tls: spec }) => ({ hosts, tls: spec }))
    this.#wallClock = wallClock
  }

  /** Whether another configuration asks the same of the same clients. */
  same(listeners: readonly TlsListener[]): boolean {
    return (
      listeners.length === this.#listeners.length &&
      listeners.every((listener, index) => {
        const mine = this.#listeners[index]
        const [now, before] = [listener.tls?.clients, mine?.tls?.clients]
        return (
          now?.ca === before?.ca &&
          now?.required === before?.required &&
          listener.hosts.join() === mine?.hosts.join()
        )
      })
    )
  }

  /**
   * Whether the client that opened this connection would be let in with what it showed.
   * @param proved whether it showed a certificate, and that held
   */
  holds(socket: tls.TLSSocket, serverName: string, proved: boolean): boolean {
    const clients = tlsListenerFor(this.#listeners, serverName)?.tls?.clients ?? null
    if (!proved) return clients?.required !== true
    // What it proved is said to services and policies on, and nobody asks for it any more.
    if (clients === null) return false
    const shown = shownBy(socket)
    const key = [clients.ca, ...shown.map(one => one.fingerprint256)].join('\n')
    let holds = this.#known.get(key)
    if (holds === undefined) {
      holds = this.#verifies(shown, this.#authoritiesOf(clients.ca))
      this.#known.set(key, holds)
    }
    return holds
  }

  /** @param shown the client's certificate, and the authorities that it sent along; none of these in a resumed session */
  #verifies(shown: readonly X509Certificate[], trusted: readonly X509Certificate[]): boolean {
    const [certificate, ...between] = shown
    if (certificate === undefined) return false
    const now = this.#wallClock()
    const good = (one: X509Certificate): boolean =>
      one.validFromDate.getTime() <= now && one.validToDate.getTime() >= now
    const issuers = [...trusted, ...between.filter(one => one.ca)].filter(good)
    const leads = (from: X509Certificate, depth: number): boolean => {
      // As OpenSSL does: only one that signed itself ends a chain.
      if (from.checkIssued(from)) return trusted.some(one => one.fingerprint256 === from.fingerprint256)
      if (depth === 0) return false
      return issuers.some(
        issuer => from.checkIssued(issuer) && from.verify(issuer.publicKey) && leads(issuer, depth - 1),
      )
    }
    return leads(certificate, DEPTH)
  }

  #authoritiesOf(pem: string): readonly X509Certificate[] {
    let authorities = this.#authorities.get(pem)
    if (authorities === undefined) {
      authorities = (pem.match(PEM_BLOCK) ?? []).map(block => new X509Certificate(block))
      this.#authorities.set(pem, authorities)
    }
    return authorities
  }
}

/** What the client showed, its own certificate first. */
function shownBy(socket: tls.TLSSocket): X509Certificate[] {
  const shown: X509Certificate[] = []
  let one = socket.getPeerX509Certificate()
  while (one !== undefined && shown.length <= DEPTH) {
    shown.push(one)
    one = one.issuerCertificate
  }
  return shown
}
