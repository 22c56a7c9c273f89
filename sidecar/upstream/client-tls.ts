import { X509Certificate } from 'node:crypto'
import net from 'node:net'
import type tls from 'node:tls'
import { identityOf, isOneOf, type PeerIdentity } from '../exchange/peer-identity.ts'
import type { Destination, SecureDialer } from '../runtime/destination.ts'
import type { UpstreamTlsSpec } from './upstream-spec.ts'
import { nodeTls } from '../runtime/node-modules.ts'

/** A session that may be resumed, with what its full handshake proved. */
interface ProvenSession {
  readonly session: Buffer
  readonly identity: PeerIdentity
  /** On the wall clock. */
  readonly until: number
}

interface Passed {
  readonly allowHalfOpen: boolean
  readonly autoSelectFamily: boolean
  readonly onread?: net.OnReadOpts
}

/** How long a session may be resumed. */
const SESSION_MS = 3_600_000

/**
 * TLS towards the endpoints of one name under one specification. A resumed session shows no certificate, and Node checks
 * no name then: so a session is kept with the identity that its full handshake proved, and offered only here, where
 * authorities, certificate, name and expected peers are the same.
 */
export class ClientTls implements SecureDialer {
  readonly #spec: UpstreamTlsSpec
  readonly #context: tls.SecureContext
  readonly #serverName: string
  readonly #peers: ReadonlySet<string>
  readonly #wallClock: () => number
  #proven: ProvenSession | null = null
  /** Who answered last. */
  identity: PeerIdentity | null = null

  /**
   * @param serverName host name, or IP address, that is asked for and looked for in the certificate
   * @throws Error where the certificates cannot be used: the loader made the same context before
   */
  constructor(spec: UpstreamTlsSpec, serverName: string, wallClock: () => number = Date.now) {
    this.#spec = spec
    this.#serverName = serverName
    this.#peers = new Set(spec.peers)
    this.#wallClock = wallClock
    this.#context = contextOf(spec)
  }

  open(
    at: Destination['at'],
    protocol: 'http/1.1' | 'h2' | '',
    onread?: net.OnReadOpts,
    preface?: Buffer,
  ): tls.TLSSocket {
    const proven = this.#resumable()
    // What Node passes on to the socket, its types do not name.
    const options: tls.ConnectionOptions & Passed = {
      ...(preface === undefined ? at : { socket: afterPreface(at, preface) }),
      secureContext: this.#context,
      // RFC 6066 section 3: an IP address is not named.
      servername: isName(this.#serverName) ? this.#serverName : '',
      ...(protocol === '' ? {} : { ALPNProtocols: [protocol] }),
      allowHalfOpen: true,
      // Else NODE_TLS_REJECT_UNAUTHORIZED in the environment decides.
      rejectUnauthorized: true,
      ...(onread === undefined ? {} : { onread }),
      ...(proven === null ? {} : { session: proven.session }),
      checkServerIdentity: (_, certificate) => this.#check(new X509Certificate(certificate.raw)),
      // Names are looked up by us, and each address is an endpoint of its own.
      autoSelectFamily: false,
    }
    const socket = nodeTls().connect(options)
    socket.setNoDelay(true)
    let identity: PeerIdentity | null = proven?.identity ?? null
    socket.once('secureConnect', () => {
      if (!socket.isSessionReused()) identity = identityOfPeer(socket)
      this.identity = identity
    })
    socket.on('session', session => {
      if (identity === null) return
      // A session of a resumed handshake is as old as what it was resumed from.
      const until =
        socket.isSessionReused() && proven !== null ? proven.until : this.#wallClock() + SESSION_MS
      this.#proven = { session, identity, until }
    })
    socket.once('error', () => {
      // What was resumed may be why it failed; the next one proves itself anew.
      if (this.#proven === proven) this.#proven = null
    })
    return socket
  }

  #resumable(): ProvenSession | null {
    const proven = this.#proven
    if (proven === null) return null
    const now = this.#wallClock()
    if (now < proven.until && now < proven.identity.notAfter) return proven
    this.#proven = null
    return null
  }

  /** Called by Node when the chain holds. Answers why it is nobody we want, or undefined. */
  #check(certificate: X509Certificate): Error | undefined {
    if (this.#spec.peers.length > 0) {
      const identity = identityOf(certificate)
      if (identity !== null && isOneOf(identity, this.#peers)) return undefined
      return refusal(`the certificate is of ${identity === null ? 'an ambiguous name' : nameOf(identity)}`)
    }
    const matches = isName(this.#serverName)
      ? // The common name is not a name, and a star is a whole label (RFC 9525), whatever the certificate lacks.
        certificate.checkHost(this.#serverName, { subject: 'never', partialWildcards: false })
      : certificate.checkIP(this.#serverName)
    return matches === undefined ? refusal(`the certificate is not of ${this.#serverName}`) : undefined
  }
}

/** A connection on which something goes out before TLS begins. */
function afterPreface(at: Destination['at'], preface: Buffer): net.Socket {
  const raw = net.connect({ ...at, allowHalfOpen: true, autoSelectFamily: false })
  raw.setNoDelay(true)
  // What fails on it fails on what stands above.
  raw.on('error', () => {})
  raw.write(preface)
  return raw
}

/** A short name for logs: the SPIFFE ID, else the first DNS name. */
export function nameOf(identity: PeerIdentity): string {
  return identity.spiffe || identity.dns[0] || identity.subject
}

function refusal(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_TLS_PEER_NOT_EXPECTED' })
}

function isName(host: string): boolean {
  return !/^[0-9.]+$/.test(host) && !host.includes(':')
}

function identityOfPeer(socket: tls.TLSSocket): PeerIdentity | null {
  const certificate = socket.getPeerX509Certificate()
  return certificate === undefined ? null : identityOf(certificate)
}

/** The system's authorities; Node's own list where the system has none, as in small images. */
let system: string[] | null = null

function contextOf(spec: UpstreamTlsSpec): tls.SecureContext {
  system ??= nodeTls().getCACertificates('system')
  const ca = spec.ca ?? (system.length > 0 ? system : nodeTls().getCACertificates('bundled'))
  return nodeTls().createSecureContext({
    ca,
    minVersion: 'TLSv1.2',
    ...(spec.cert === null || spec.key === null ? {} : { cert: spec.cert, key: spec.key }),
  })
}
