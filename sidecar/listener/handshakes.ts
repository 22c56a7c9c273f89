import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import type tls from 'node:tls'
import { identityOf, type PeerIdentity } from '../exchange/peer-identity.ts'
import type { TlsListener } from '../snapshot/listener-tls.ts'
import { CIPHERS, ticketKeys, TlsContexts, tlsListenerFor } from './tls-contexts.ts'
import { nodeTls } from '../runtime/node-modules.ts'

/** What a finished handshake proved. */
export interface Handshake {
  readonly socket: tls.TLSSocket
  /** SNI in lower case; empty where the client named none. */
  readonly serverName: string
  readonly identity: PeerIdentity | null
  /** Whether HTTP/2 was agreed on (ALPN). */
  readonly http2: boolean
}

/** Who hears how handshakes end. Exactly one of the two is called for each that began, at the latest when its socket closes. */
export interface HandshakeOwner {
  onSecured(raw: Socket, handshake: Handshake): void
  /** @param why a Node or OpenSSL code, or what the certificate lacked; for log and metric */
  onInsecure(raw: Socket, why: string): void
}

/** How long a session can be resumed, in seconds. */
const SESSION_SECONDS = 3600

/**
 * The handshakes of one address under one configuration of it. A new configuration gets new ones, so what is under way
 * ends under the rules with which it began; sessions are resumed across both, since the ticket keys stay.
 *
 * Who calls is decided here, after each handshake and not by Node alone: a resumed session is looked at like a new one.
 */
export class Handshakes {
  readonly #listeners: readonly TlsListener[]
  readonly #owner: HandshakeOwner
  readonly #server: tls.Server
  readonly #timeout: number
  readonly #http: boolean
  readonly #wallClock: () => number

  /**
   * @param secret of the process, from which ticket keys are made
   * @param timeout milliseconds for a whole handshake
   * @param http whether what is spoken inside is HTTP; else clients may name any protocol
   */
  constructor(
    listeners: readonly TlsListener[],
    owner: HandshakeOwner,
    secret: Buffer,
    timeout: number,
    http = true,
    wallClock = Date.now,
  ) {
    // Copies: an address must not hold the routes of a configuration that is gone.
    this.#listeners = listeners.map(({ hosts, tls: spec }) => ({ hosts, tls: spec }))
    this.#owner = owner
    this.#timeout = timeout
    this.#http = http
    this.#wallClock = wallClock
    const contexts = new TlsContexts(this.#listeners)
    const specs = this.#listeners.map(listener => listener.tls)
    // Who asks for no name is served by this one. Node takes no ready context here, so it is spelled out again.
    const nameless = tlsListenerFor(this.#listeners, '')?.tls
    const certificate = nameless?.certificates[0]
    const keys = ticketKeys(listeners, secret)
    this.#server = nodeTls().createServer({
      ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
      ...(nameless?.clients == null ? {} : { ca: nameless.clients.ca }),
      // The version is settled before the name is read: the oldest that any of them takes; `#identify` looks again.
      minVersion: specs.some(spec => spec?.minVersion === 'TLSv1.2') ? 'TLSv1.2' : 'TLSv1.3',
      ciphers: CIPHERS,
      honorCipherOrder: true,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (keys === null ? constants.SSL_OP_NO_TICKET : 0),
      ...(http ? { ALPNProtocols: ['h2', 'http/1.1'] } : {}),
      requestCert: specs.some(spec => spec?.clients != null),
      // Where every listener needs one, its absence is an alert of TLS that clients understand.
      rejectUnauthorized: specs.length > 0 && specs.every(spec => spec?.clients?.required === true),
      ...(keys === null ? {} : { ticketKeys: keys }),
      sessionTimeout: SESSION_SECONDS,
      handshakeTimeout: timeout,
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      SNICallback: (name, done) => {
        try {
          const context = contexts.contextFor(name.toLowerCase())
          done(null, context ?? undefined)
        } catch (error) {
          // The loader made the same context before; whatever it is, it costs this handshake and not the process.
          done(error instanceof Error ? error : new Error(String(error)))
        }
      },
    })
    // No session is kept in memory: tickets hold them, and only as long as `SESSION_SECONDS`.
    this.#server.on('secureConnection', socket => this.#secured(socket))
    // Where Node refuses a certificate itself, the error says only that the socket closed.
    this.#server.on('tlsClientError', (error, socket) =>
      this.#insecure(socket, verificationError(socket) ?? codeOf(error)),
    )
  }

  /** Whether these are the handshakes that listeners ask for. */
  serve(listeners: readonly TlsListener[], timeout: number, http: boolean): boolean {
    return (
      timeout === this.#timeout &&
      http === this.#http &&
      listeners.length === this.#listeners.length &&
      listeners.every((listener, index) => {
        const mine = this.#listeners[index]
        return listener.tls?.hash === mine?.tls?.hash && listener.hosts.join() === mine?.hosts.join()
      })
    )
  }

  /** Begins a handshake on an accepted socket. */
  begin(raw: Socket): void {
    this.#server.emit('connection', raw)
  }

  #secured(socket: tls.TLSSocket): void {
    socket.on('error', () => {})
    const serverName = typeof socket.servername === 'string' ? socket.servername.toLowerCase() : ''
    const verdict = this.#identify(socket, serverName)
    if (typeof verdict === 'string') this.#insecure(socket, verdict)
    else
      this.#owner.onSecured(rawOf(socket), {
        socket,
        serverName,
        identity: verdict,
        http2: socket.alpnProtocol === 'h2',
      })
  }

  /** Who calls; a text says why that is nobody we let in. Evaluated on each handshake, resumed or not. */
  #identify(socket: tls.TLSSocket, serverName: string): PeerIdentity | null | string {
    const spec = tlsListenerFor(this.#listeners, serverName)?.tls ?? null
    if (spec?.minVersion === 'TLSv1.3' && socket.getProtocol() !== 'TLSv1.3')
      return 'ERR_SSL_UNSUPPORTED_PROTOCOL'
    const clients = spec?.clients ?? null
    if (clients === null) return null
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) return clients.required ? 'no client certificate' : null
    // A certificate that does not hold is no certificate less: whoever shows one is refused, `required` or not.
    if (!socket.authorized) return verificationError(socket) ?? 'client certificate not verified'
    const now = this.#wallClock()
    if (certificate.validToDate.getTime() < now) return 'CERT_HAS_EXPIRED'
    if (certificate.validFromDate.getTime() > now) return 'CERT_NOT_YET_VALID'
    return identityOf(certificate) ?? 'ambiguous names in the client certificate'
  }

  #insecure(socket: tls.TLSSocket, why: string): void {
    socket.on('error', () => {})
    socket.destroy()
    this.#owner.onInsecure(rawOf(socket), why)
  }
}

/** The socket that was accepted, of which Node made this one. */
function rawOf(socket: tls.TLSSocket): Socket {
  // Node keeps it under a name that its types do not know; it is there from the constructor on.
  return (socket as unknown as { _parent: Socket })._parent
}

/** What is wrong with the chain that the client showed (an OpenSSL code), or null. */
function verificationError(socket: tls.TLSSocket): string | null {
  // Node's types call it an error; on a server it is the code, and null where there is none.
  const error: unknown = socket.authorizationError
  return typeof error === 'string' ? error : null
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
