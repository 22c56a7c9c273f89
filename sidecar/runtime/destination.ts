import type net from 'node:net'
import type tls from 'node:tls'

/** Where a connection goes, and whether it is encrypted on the way. */
export interface Destination {
  /** A Unix socket, or an address and a port. */
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number }
  /** Null: plain. */
  readonly tls: SecureDialer | null
  /** What goes out before anything else, TLS included. Absent: nothing. */
  readonly preface?: Buffer
}

/** Opens encrypted connections: knows whom we expect there, and who we are. */
export interface SecureDialer {
  /**
   * Begins to connect. `secureConnect` of the socket says that the other end proved to be who it has to be; where it
   * does not, the socket is destroyed with an error.
   * @param protocol what is spoken inside (ALPN); empty: it is not said
   * @param onread where it reads to; none: a stream's own buffers
   * @param preface what goes out in front of TLS, in the clear
   */
  open(
    at: Destination['at'],
    protocol: 'http/1.1' | 'h2' | '',
    onread?: net.OnReadOpts,
    preface?: Buffer,
  ): tls.TLSSocket
}

/** How Node and OpenSSL begin the codes of a handshake that failed; else a code is the socket's. */
const TLS_CODE =
  /^(?:ERR_(?:TLS|SSL)_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_|PATH_LENGTH|HOSTNAME_MISMATCH)/

/** Whether a socket's error code says that the handshake failed, and not the way there. */
export function isTlsFailure(code: string): boolean {
  return TLS_CODE.test(code)
}
